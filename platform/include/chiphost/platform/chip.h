// SPDX-License-Identifier: Apache-2.0
//
// A table of constants says what differs between chips. It is linked into all three programs. Code is the same for all
// chips; a platform of a known chip writes nothing here.
//
// Threads: any.
// Errors: none.
#pragma once

#include <stdint.h>

#include "chiphost/kernel.h"

namespace chiphost::platform {

// Registers of a core that the AICPU and the core use.
enum class Register : uint32_t {
    data_main_base = 0,  // DATA_MAIN_BASE: the AICPU writes it to dispatch a task
    cond = 1,            // COND: the core writes it to acknowledge a task, and to tell that it has ended
    fast_path = 2,       // FAST_PATH, on chips that have it: the AICPU opens it for a launch and closes it afterwards
};
constexpr uint32_t register_count = 3;        // the number of registers
constexpr uint32_t no_register = UINT32_MAX;  // the offset of a register that a chip does not have

constexpr uint32_t cores_max = 120;        // most cores that schedulers and platforms have room for
constexpr uint32_t aicpu_threads_max = 8;  // most AICPU threads that schedulers and platforms have room for

// The constants of a chip.
struct Chip {
    const char* name;                          // of the chip, such as "a2a3"
    uint32_t clusters;                         // most clusters (1 AIC + 2 AIV) a run may use
    uint32_t physical_cores;                   // physical core ids are below this
    uint32_t aicpu_threads;                    // most AICPU threads a run may use
    uint32_t aicpu_threads_launched;           // threads started so that enough of them land on the right processors
    uint64_t counter_hz;                       // system counter
    uint64_t memory_bytes;                     // device memory
    uint32_t register_offset[register_count];  // bytes from a core's register base; no_register: it has none
    // Bytes of a core's own memories, by LocalMemory; 0: a simulated core of this chip offers its kernels none.
    uint32_t local_memory_bytes[local_memory_count] = {0, 0, 0, 0, 0};
    // Bytes of a line of the data cache between a core's scalar unit and device memory; a power of two.
    uint32_t cache_line_bytes = 64;

    // Tells that the chip has a register.
    //
    // which: the register.
    constexpr bool has(Register which) const { return register_offset[static_cast<uint32_t>(which)] != no_register; }
    // Gives the place of a register, in bytes from a core's register base; `no_register` if it has none.
    //
    // which: the register.
    constexpr uint32_t offset(Register which) const { return register_offset[static_cast<uint32_t>(which)]; }
    // Gives the number of cores of all clusters.
    constexpr uint32_t cores() const { return clusters * 3; }

    // A number of the chip for which there is no room.
    struct Excess {
        const char* what;      // nullptr: nothing
        uint32_t most, found;  // how many there may be; how many there are
    };
    // Tells what the chip has too much of. It is asked before anything is indexed by it.
    constexpr Excess excess() const {
        if (clusters > cores_max / 3) return {"clusters", cores_max / 3, clusters};
        if (physical_cores > cores_max) return {"physical cores", cores_max, physical_cores};
        if (aicpu_threads > aicpu_threads_max) return {"AICPU threads", aicpu_threads_max, aicpu_threads};
        return {nullptr, 0, 0};
    }
};

// The chip that this program is built for; platform/<arch>/chip.cpp defines it.
extern const Chip chip;

}  // namespace chiphost::platform
