// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <memory>
#include <vector>

#include "fiber.h"
#include "status/status.h"

namespace chiphost::platform {

// Something that may pause in the middle of a launch: a fiber and its stack.
struct Pausable {
    FiberStack stack;
    Fiber fiber;
};

// A device's pausables: one for the orchestration, and one for each core if there are kernels that pause. They are kept
// from launch to launch.
class Pausables {
public:
    explicit Pausables(uint64_t stack_bytes) : stack_bytes_(stack_bytes) {}

    // Makes those for a launch that are missing; `cores` is 0 if no kernel pauses. CH_HOST_MEMORY_EXHAUSTED. Throws
    // std::bad_alloc.
    Status make(uint32_t cores, ch_error* out_error);

    Pausable& orchestration() { return *orchestration_; }
    // The pausable of a core's kernels, nullptr if there is none.
    Pausable* kernel(uint32_t core) { return core < kernels_.size() ? kernels_[core].get() : nullptr; }

    // Gives one up that does not return although it was told to. It is never resumed, and its stack stays as it is, for
    // good: nothing on it is destroyed, so nobody may use that memory again. Returns how many were given up so far.
    uint32_t leave_orchestration_behind() { return leave_behind(&orchestration_); }
    uint32_t leave_kernel_behind(uint32_t core) { return leave_behind(&kernels_[core]); }

private:
    uint32_t leave_behind(std::unique_ptr<Pausable>* pausable);

    const uint64_t stack_bytes_;
    std::unique_ptr<Pausable> orchestration_;
    std::vector<std::unique_ptr<Pausable>> kernels_;  // by core
    uint32_t left_behind_ = 0;
};

}  // namespace chiphost::platform
