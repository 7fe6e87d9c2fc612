// SPDX-License-Identifier: Apache-2.0
//
// The registers that the three programs of this platform share: its chip is a loop on one thread.
#pragma once

#include <stdint.h>

#include <vector>

#include "chiphost/abi/host_runtime.h"
#include "chiphost/platform/chip.h"

namespace chiphost::platform {

// The registers of all cores, by physical core.
struct RegisterFile {
    std::vector<uint32_t> values = std::vector<uint32_t>(chip.physical_cores * register_count);
    bool something_happened = false;  // a register was written, or a thread signalled

    uint32_t& at(uint32_t physical_core, Register which) {
        return values[physical_core * register_count + static_cast<uint32_t>(which)];
    }
};

struct AicpuPort {
    RegisterFile* registers;
};

struct AicorePort {
    RegisterFile* registers;
    uint32_t physical;
};

}  // namespace chiphost::platform
