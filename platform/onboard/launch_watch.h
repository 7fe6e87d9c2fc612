// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "chiphost/abi/device_program.h"
#include "launch_record.h"
#include "onboard_port.h"

namespace chiphost::platform {

// Ends a launch that the host wants to end, or in which nothing happens any more: asks the program to stop, and after a
// while lets threads leave whose cores don't answer. Shared by the threads of a launch.
class LaunchWatch {
public:
    enum class End : uint32_t { none = 0, cancelled = 1, stalled = 2 };

    // Before the threads of a launch are let in. Everything is borrowed until the launch is over.
    void begin(const ch_aicpu_program* program, void* context, const LaunchRecord* record, const AicpuPort* ports);

    // Called by every thread now and then, also from inside the orchestration.
    void look(const AicpuPort& port);

    // True if a thread may leave, done or not.
    bool may_leave() const;

    End end() const { return end_.load(std::memory_order_acquire); }

private:
    uint64_t activity() const;
    void stop(End why);

    const ch_aicpu_program* program_ = nullptr;
    void* context_ = nullptr;
    const LaunchRecord* record_ = nullptr;
    const AicpuPort* ports_ = nullptr;
    std::atomic<End> end_{End::none};
    std::atomic<uint64_t> stopped_ns_{0};
    // Thread 0's.
    uint64_t last_activity_ = 0;
    uint64_t last_change_ns_ = 0;
};

}  // namespace chiphost::platform
