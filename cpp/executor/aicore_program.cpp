// SPDX-License-Identifier: Apache-2.0
//
// The AICore program: the executor behind its table.
#include <new>

#include "core_executor.h"

namespace chiphost::executor {

namespace {

constexpr ch_aicore_program table = {
    CH_ABI_HEADER(ch_aicore_program, CH_ABI_AICORE_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                  CHIPHOST_PLATFORM),
    []() { return uint64_t{sizeof(CoreExecutor)}; },
    [](void* context, const ch_launch* launch, uint32_t core, uint32_t core_type, void* port) {
        new (context) CoreExecutor(*launch, core, core_type, static_cast<platform::AicorePort*>(port));
    },
    [](void* context) { return static_cast<CoreExecutor*>(context)->step(); },
};

}  // namespace

}  // namespace chiphost::executor

extern "C" __attribute__((visibility("default"))) const ch_aicore_program* chiphost_aicore_program() {
    return &chiphost::executor::table;
}
