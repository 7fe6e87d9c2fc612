// SPDX-License-Identifier: Apache-2.0
//
// What a platform gives the host runtime: one device with its memory, its programs and the launch. A port implements
// these functions and links them into the host runtime.
//
// All functions that return int32_t return CH_OK or a code with *out_error filled. A device is used by one thread at a
// time; different devices are independent.
#pragma once

#include <stdint.h>

#include <vector>

#include "chip.h"
#include "chiphost/abi/device_program.h"
#include "chiphost/abi/host_runtime.h"

namespace chiphost::platform {

class Device;

// Opens the device and loads its two programs. The options are borrowed for the call; the anchor outlives the device.
[[nodiscard]] int32_t open_device(const ch_device_options& options, Device** out_device, ch_error* out_error);

// Frees the device and everything allocated on it.
void close_device(Device* device);

// Device memory with an alignment of 64 and undefined content. bytes 0 is one byte. CH_DEVICE_MEMORY_EXHAUSTED says how
// much was wanted and how much is free.
[[nodiscard]] int32_t allocate(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error);

// The same with content 0. Where the platform can, memory is reserved now and used as it is touched.
[[nodiscard]] int32_t allocate_zeroed(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error);

// Frees what `allocate` or `allocate_zeroed` returned.
void release(Device* device, uint64_t address);

[[nodiscard]] int32_t copy_to_device(Device* device, uint64_t to, const void* from, uint64_t bytes,
                                     ch_error* out_error);
[[nodiscard]] int32_t copy_from_device(Device* device, void* to, uint64_t from, uint64_t bytes, ch_error* out_error);

// A kernel that is ready to be called by the device's cores.
struct LoadedKernel {
    uint64_t address = 0;     // what Payload::kernel is to hold
    void* owner = nullptr;    // the platform's
    bool hands_over = false;  // it wants a hand-over area (hand_over.h)
};
[[nodiscard]] int32_t load_kernel(Device* device, const ch_kernel& kernel, LoadedKernel* out_kernel,
                                  ch_error* out_error);
void unload_kernel(Device* device, const LoadedKernel& kernel);

// How a launch is to be executed; the fields that a real chip has no use for are ignored there.
struct LaunchOptions {
    uint64_t launch;  // device address of the ch_launch record
    uint32_t block_dim;
    uint32_t aicpu_threads;
    uint32_t sim_threads;
    uint64_t seed;
    ch_run_progress* progress;               // progress->cancel ends the launch early
    std::vector<ch_trace_event>* out_trace;  // nullptr: not wanted
};

// Runs both programs until all AICPU threads are done. Faults that the device itself reports are in its
// ch_launch_status; the returned code is for everything else: CH_STALLED, CH_DEADLINE_EXCEEDED after a cancel,
// CH_PLATFORM_FAILED.
[[nodiscard]] int32_t launch(Device* device, const LaunchOptions& options, ch_error* out_error);

}  // namespace chiphost::platform
