// SPDX-License-Identifier: Apache-2.0
//
// The AICPU program: the scheduler behind its table.
#include <new>
#include <optional>

#include "scheduler.h"

namespace chiphost::scheduler {

namespace {

// The libraries outlive a launch, which is the scheduler.
struct alignas(64) Context {
    orchestrator::OrchestrationLibraries libraries;
    std::optional<Scheduler> scheduler;
};

Context& at(void* context) {
    return *static_cast<Context*>(context);
}

constexpr ch_aicpu_program table = {
    CH_ABI_HEADER(ch_aicpu_program, CH_ABI_AICPU_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                  CHIPHOST_PLATFORM),
    []() { return uint64_t{sizeof(Context)}; },
    [](void* context) { new (context) Context; },
    [](void* context, const ch_launch* launch, void* const* ports) {
        at(context).scheduler.emplace(*launch, ports, &at(context).libraries);
    },
    [](void* context, uint32_t thread) { return at(context).scheduler->step(thread); },
    [](void* context, ch_error* out_error) { at(context).scheduler->explain_stall(out_error); },
    [](void* context) {
        at(context).scheduler->end();
        at(context).scheduler.reset();
    },
    [](void* context) { at(context).~Context(); },
    [](void* context) { at(context).scheduler->cut_off(); },
};

}  // namespace

}  // namespace chiphost::scheduler

extern "C" __attribute__((visibility("default"))) const ch_aicpu_program* chiphost_aicpu_program() {
    return &chiphost::scheduler::table;
}
