// SPDX-License-Identifier: Apache-2.0
//
// A table of constants says what differs between chips. Code is the same for all. Linked into all three programs; a
// platform of a known chip writes nothing.
#pragma once

#include <stdint.h>

#include "chiphost/kernel.h"

namespace chiphost::platform {

// Registers of a core that the AICPU and the core use.
enum class Register : uint32_t { data_main_base = 0, cond = 1, fast_path = 2 };
constexpr uint32_t register_count = 3;
constexpr uint32_t no_register = UINT32_MAX;

// Schedulers and platforms have room for so many cores and AICPU threads.
constexpr uint32_t cores_max = 120;
constexpr uint32_t aicpu_threads_max = 8;

struct Chip {
    const char* name;
    uint32_t clusters;                         // most clusters (1 AIC + 2 AIV) a run may use
    uint32_t physical_cores;                   // physical core ids are below this
    uint32_t aicpu_threads;                    // most AICPU threads a run may use
    uint32_t aicpu_threads_launched;           // threads started so that enough of them land on the right processors
    uint64_t counter_hz;                       // system counter
    uint64_t memory_bytes;                     // device memory
    uint32_t register_offset[register_count];  // bytes from a core's register base; no_register: it has none
    // Bytes of a core's own memories, by LocalMemory; 0: a simulated core of this chip offers its kernels none.
    uint32_t local_memory_bytes[local_memory_count] = {0, 0, 0, 0, 0};

    constexpr bool has(Register which) const { return register_offset[static_cast<uint32_t>(which)] != no_register; }
    constexpr uint32_t offset(Register which) const { return register_offset[static_cast<uint32_t>(which)]; }
    constexpr uint32_t cores() const { return clusters * 3; }

    // A number of the chip for which there is no room. It is looked at before anything is indexed by it.
    struct Excess {
        const char* what;  // nullptr: nothing
        uint32_t most, found;
    };
    constexpr Excess excess() const {
        if (clusters > cores_max / 3) return {"clusters", cores_max / 3, clusters};
        if (physical_cores > cores_max) return {"physical cores", cores_max, physical_cores};
        if (aicpu_threads > aicpu_threads_max) return {"AICPU threads", aicpu_threads_max, aicpu_threads};
        return {nullptr, 0, 0};
    }
};

// The chip this program is built for; defined in platform/<arch>/chip.cpp.
extern const Chip chip;

}  // namespace chiphost::platform
