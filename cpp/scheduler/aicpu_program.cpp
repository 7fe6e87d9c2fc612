// SPDX-License-Identifier: Apache-2.0
//
// The AICPU program: the scheduler behind its table.
#include <new>

#include "scheduler.h"

namespace chiphost::scheduler {

namespace {

Scheduler& scheduler(void* context) {
    return *static_cast<Scheduler*>(context);
}

constexpr ch_aicpu_program table = {
    CH_ABI_HEADER(ch_aicpu_program, CH_ABI_AICPU_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                  CHIPHOST_PLATFORM),
    [](const ch_launch* launch) { return Scheduler::bytes(*launch); },
    [](void* context, const ch_launch* launch, void* const* ports) { new (context) Scheduler(*launch, ports); },
    [](void* context, uint32_t thread) { return scheduler(context).step(thread); },
    [](void* context, ch_launch_status* out_status) { scheduler(context).explain_stall(out_status); },
    [](void* context) { scheduler(context).~Scheduler(); },
};

}  // namespace

}  // namespace chiphost::scheduler

extern "C" __attribute__((visibility("default"))) const ch_aicpu_program* chiphost_aicpu_program() {
    return &chiphost::scheduler::table;
}
