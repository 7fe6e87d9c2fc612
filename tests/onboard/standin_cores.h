// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <string>

#include "chiphost/abi/device_program.h"
#include "onboard/launch_record.h"

namespace chiphost::platform::standin {

// A registered AICore program.
struct CoreProgram {
    void* library;
    const ch_aicore_program* table;
};

// Steps the cores in turn until all have exited.
int32_t run_cores(const ch_aicore_program* program, uint32_t block_dim, const LaunchRecord* record,
                  const std::string& held_by, bool late);

}  // namespace chiphost::platform::standin
