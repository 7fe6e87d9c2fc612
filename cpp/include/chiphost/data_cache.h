// SPDX-License-Identifier: Apache-2.0
//
// For kernels: the data cache between a core's scalar unit and device memory.
//
// A core that reads or writes a single value of device memory does so in its data cache, in lines of 64 bytes. Nothing
// keeps the caches of two cores alike: another core sees a value when its writer has written the line back, and if it
// has no older copy of that line itself. Block copies (PTO's TLOAD and TSTORE, AscendC's DataCopy) pass the cache by.
//
// When a kernel ends, its core writes all lines back and drops them. So between tasks nothing needs to be done. Kernels
// of one task that hand over data by device memory while both run have to flush: who writes does it before it tells the
// other, and who has touched the line before does it before it reads. docs/checks.md tells how `--check=coherence`
// finds what was forgotten. The rules are those of the vendor's manual: AscendC's DataCacheCleanAndInvalid, and
// GlobalTensor::SetValue for cores that write to one line.
//
// Threads: the kernel's.
// Errors: none.
#pragma once

#include <stdint.h>

#include "kernel.h"

#ifdef CHIPHOST_INSTRUMENTED  // defined when a program is compiled for checks
extern "C" {
// Tells the checker of a flush. For the functions below.
//
// address: of the first byte.
// bytes: how many; 0: the whole cache.
__attribute__((visibility("hidden"))) void chiphost_check_flush(const volatile void* address, uint64_t bytes);
// Tells the checker of block copies. For the class below.
//
// begins: 1: what is accessed from now on stands for block copies; 0: it does so no more.
__attribute__((visibility("hidden"))) void chiphost_check_block_copy(uint32_t begins);
}
#endif

namespace chiphost {

// Writes back what this core's data cache has of a range, and drops it: the next read of a line there sees memory. A
// simulated core has no cache, so there it does nothing but tell the checker.
//
// address: the first byte; lines are flushed whole.
// bytes: at least 1.
__aicore__ inline void flush_lines([[maybe_unused]] const volatile __gm__ void* address,
                                   [[maybe_unused]] uint64_t bytes) {
#if defined(__CCE_AICORE__)
    constexpr uint64_t line_bytes = 64;
    const uint64_t end = reinterpret_cast<uint64_t>(address) + bytes;
    for (uint64_t line = reinterpret_cast<uint64_t>(address) & ~(line_bytes - 1); line < end; line += line_bytes) {
        dcci(reinterpret_cast<__gm__ void*>(line), SINGLE_CACHE_LINE, CACHELINE_OUT);
    }
    dsb(DSB_DDR);
#elif defined(CHIPHOST_INSTRUMENTED)
    if (bytes != 0) chiphost_check_flush(address, bytes);
#endif
}

// Writes back and drops all of this core's data cache. It takes long on a chip.
__aicore__ inline void flush_data_cache() {
#if defined(__CCE_AICORE__)
    dcci(reinterpret_cast<__gm__ void*>(0), ENTIRE_DATA_CACHE, CACHELINE_OUT);
    dsb(DSB_DDR);
#elif defined(CHIPHOST_INSTRUMENTED)
    chiphost_check_flush(nullptr, 0);
#endif
}

// For as long as one lives, what the kernel reads and writes stands for block copies, which pass the data cache by. To
// be put around a loop or a memcpy of a simulated kernel that a chip would do with its copy or vector units.
class BlockCopy {
public:
    // From now on accesses stand for block copies.
    __aicore__ BlockCopy() { tell(1); }
    // They do so no more, if no other object lives.
    __aicore__ ~BlockCopy() { tell(0); }
    BlockCopy(const BlockCopy&) = delete;
    BlockCopy& operator=(const BlockCopy&) = delete;

private:
    __aicore__ static void tell([[maybe_unused]] uint32_t begins) {
#ifdef CHIPHOST_INSTRUMENTED
        chiphost_check_block_copy(begins);
#endif
    }
};

}  // namespace chiphost
