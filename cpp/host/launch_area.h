// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "chiphost/abi/device_program.h"
#include "chiphost/platform/device.h"
#include "device_buffer.h"
#include "status/status.h"

namespace chiphost::host {

// The device memory through which the host and the two programs of a launch talk: the launch record, the status, and
// handshake and payloads of every core. Made at the first run, reused by the next.
class LaunchArea {
public:
    explicit LaunchArea(platform::Device* device) : device_(device), memory_(device), hand_over_(device) {}
    LaunchArea(const LaunchArea&) = delete;
    LaunchArea& operator=(const LaunchArea&) = delete;

    struct Setup {
        uint32_t block_dim;
        uint32_t aicpu_threads;
        uint32_t kernel_count;
        uint64_t kernels;  // device addresses
        uint64_t kernel_names;
        uint64_t graph;
        bool hands_over;  // a kernel wants the clusters' hand-over areas
    };
    // Writes the records for one launch. *out_launch is the device address of the ch_launch.
    Status prepare(const Setup& setup, uint64_t* out_launch, ch_error* out_error);

    // Reads what the device has said of the launch. Its error's texts are read only if there is one.
    Status read_status(ch_launch_status* out_status, ch_error* out_error);

    // Hands on the fault that the device has reported; CH_OK if there is none.
    static Status fault_in(const ch_launch_status& status, ch_error* out_error);

private:
    platform::Device* const device_;
    DeviceBuffer memory_;
    DeviceBuffer hand_over_;  // an area for each cluster
};

}  // namespace chiphost::host
