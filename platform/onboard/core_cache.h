// SPDX-License-Identifier: Apache-2.0
//
// For the programs that the vendor's compiler ccec makes.
#pragma once

#include <stdint.h>

#include "chiphost/kernel.h"

namespace chiphost::platform {

constexpr uint64_t core_cache_line = 64;

// Writes back what this core has of the range, and drops it: the next read sees memory.
__aicore__ inline void refresh_lines(void* address, uint64_t bytes) {
    const uint64_t begin = reinterpret_cast<uint64_t>(address) & ~(core_cache_line - 1);
    const uint64_t end = reinterpret_cast<uint64_t>(address) + bytes;
    for (uint64_t line = begin; line < end; line += core_cache_line) {
        dcci(reinterpret_cast<__gm__ void*>(line), SINGLE_CACHE_LINE, CACHELINE_OUT);
    }
}

}  // namespace chiphost::platform
