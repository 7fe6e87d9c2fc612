// SPDX-License-Identifier: Apache-2.0
//
// A platform gives this to the host runtime: one device with its memory, its programs and the launch. A port implements
// these functions and links them into the host runtime.
//
// The requirements on a port are numbered, PLAT-01 and so on: docs/reference/platform-requirements.md says what happens
// otherwise and which conformance test looks.
//
// device: what `open_device` gave.
// out_error: the caller's record, zeroed; filled with what went wrong.
// Errors: a function that returns int32_t returns CH_OK, or a code with *out_error filled. The record has the same
// code, the place, and a message with the values (status/report.h does that). CH_UNIMPLEMENTED says that the platform
// does not have it. After an error everything is as before the call (PLAT-50). No function throws anything but
// std::bad_alloc.
//
// Threads: one at a time for each device, not always the same. Different devices are independent, and the platform
// keeps nothing in globals (PLAT-55 to PLAT-58). Threads are the anchor's (abi/anchor.h); a platform makes none of its
// own (PLAT-52).
//
// Ownership: arguments are borrowed for the call. What a device has handed out belongs to it.
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "chip.h"
#include "chiphost/abi/device_program.h"
#include "chiphost/abi/host_runtime.h"

namespace chiphost::platform {

// The platform for which the host runtime is built, such as "a2a3sim", and so are the device programs that it may load.
// The host runtime defines it, not the platform.
extern const char* const platform_name;

// An open device. The platform defines it.
class Device;

// Opens the device and loads its two programs. PLAT-01, PLAT-15, PLAT-16.
//
// options: borrowed for the call, strings included; the anchor outlives the device.
// out_device: gets the device. The caller owns it and gives it to `close_device`.
// Errors: for a program's file CH_FILE_UNREADABLE, CH_NOT_ELF, CH_ENTRY_MISSING, CH_ABI_MISMATCH and the like;
// CH_PLATFORM_FAILED.
// Threads: any; several devices may be opened at once.
[[nodiscard]] int32_t open_device(const ch_device_options& options, Device** out_device, ch_error* out_error);

// Frees the device and everything that was allocated, loaded or lent for it, whatever way its last launch ended.
// PLAT-60 to PLAT-62.
//
// device: what `open_device` gave; no launch may be under way.
// Errors: none.
void close_device(Device* device);

// Allocates device memory with an alignment of 64. Its content is undefined. PLAT-02 to PLAT-04, PLAT-07.
//
// bytes: how much; 0 is one byte.
// out_address: gets its device address.
// Ownership: the memory belongs to the device and lives until `release` or `close_device`.
// Errors: CH_DEVICE_MEMORY_EXHAUSTED, which says how much was wanted and how much is free.
[[nodiscard]] int32_t allocate(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error);

// Allocates device memory whose content is 0. Where the platform can, memory is reserved now and used as it is touched.
// PLAT-05.
//
// bytes: how much; 0 is one byte.
// out_address: gets its device address.
// Ownership: as with `allocate`.
// Errors: as with `allocate`.
[[nodiscard]] int32_t allocate_zeroed(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error);

// Frees device memory. PLAT-06.
//
// address: what `allocate` or `allocate_zeroed` gave; programs may not be using it.
// Errors: none; what cannot be freed is lost until `close_device`.
void release(Device* device, uint64_t address);

// Copies host memory to device memory. PLAT-08 to PLAT-10.
//
// to: any byte inside an allocation.
// from: the first byte in host memory, which is the caller's again when this returns.
// bytes: how many; with 0 nothing is copied, and the addresses may be null.
// Errors: CH_PLATFORM_FAILED where a copy can fail.
[[nodiscard]] int32_t copy_to_device(Device* device, uint64_t to, const void* from, uint64_t bytes,
                                     ch_error* out_error);

// Copies device memory to host memory. PLAT-08 to PLAT-10, PLAT-33.
//
// to: the first byte in host memory; all is there when this returns.
// from: any byte inside an allocation.
// bytes: how many; with 0 nothing is copied, and the addresses may be null.
// Errors: CH_PLATFORM_FAILED where a copy can fail.
[[nodiscard]] int32_t copy_from_device(Device* device, void* to, uint64_t from, uint64_t bytes, ch_error* out_error);

// A kernel that is ready to be called by the device's cores.
struct LoadedKernel {
    uint64_t address = 0;     // what core_protocol::Payload::kernel is to hold
    void* owner = nullptr;    // the platform's
    bool hands_over = false;  // it wants a hand-over area (hand_over.h); true if the platform cannot tell
};

// Loads a kernel. PLAT-11 to PLAT-13.
//
// kernel: its bytes are borrowed for the call.
// out_kernel: gets what cores need to call it.
// Ownership: the kernel is the device's and lives until `unload_kernel`.
// Errors: CH_NOT_ELF, CH_ENTRY_MISSING, CH_LOAD_REFUSED and the like, with the binary's name;
// CH_DEVICE_MEMORY_EXHAUSTED.
[[nodiscard]] int32_t load_kernel(Device* device, const ch_kernel& kernel, LoadedKernel* out_kernel,
                                  ch_error* out_error);

// Unloads a kernel. PLAT-14.
//
// kernel: what `load_kernel` gave; no launch may call it any more. Each is unloaded before `close_device`.
// Errors: none.
void unload_kernel(Device* device, const LoadedKernel& kernel);

// An array of the run, and where a host orchestration has put a copy of it.
struct ArgumentCopy {
    uint64_t device;         // address of the first byte; all of the array is there
    uint32_t number;         // of the array, counted without scalars
    const ch_tensor* array;  // the run's
};

// How a launch is to be executed. Fields that a real chip has no use for are ignored there.
struct LaunchOptions {
    uint64_t launch;            // device address of the ch_launch record; 0 for check_launch: there is none yet
    uint32_t block_dim;         // clusters in use
    uint32_t aicpu_threads;     // AICPU threads in use
    uint32_t sim_threads;       // simulated chip: host threads that run processors
    uint64_t seed;              // simulated chip: order in which processors step; 0: in turn
    ch_run_progress* progress;  // progress->cancel ends the launch early; any thread sets it, at any time
    std::vector<ch_trace_event>* out_trace;   // nullptr: not wanted
    uint32_t check = 0;                       // simulated chip: what is checked, as ch_call_config::check says
    std::string* out_check_report = nullptr;  // nullptr: not wanted; lives until the device's next launch
    // Simulated chip: gets what waits for what, and what happened last, if the launch cannot end or was cancelled;
    // nullptr: not wanted.
    std::string* out_stall_report = nullptr;
    // The exploration that this launch belongs to; nullptr: the order is by the seed. The launch writes the results
    // that it knows, and sets the outcome to CH_EXPLORED_ALL if there is no further schedule.
    ch_exploration* exploration = nullptr;
    // Number of its schedule in the exploration: 0 is the default one, and begins it. A replay takes the log instead.
    uint64_t schedule = 0;
    // Simulated chip, with out_check_report: true afterwards if the report would say more after the same launch again
    // with `locates`, which tells the code of what was found when this one was over.
    bool* out_wants_to_locate = nullptr;
    // Simulated chip: this is the same launch again, made for the code of what that one has found.
    bool locates = false;
    // Simulated chip, with out_check_report: memory that the host orchestration has for arrays of the run; nullptr: none.
    const std::vector<ArgumentCopy>* argument_copies = nullptr;
};

// Tells whether `launch` would begin such a launch. It is asked before a run writes anything to the device, and changes
// nothing. PLAT-49.
//
// options: borrowed for the call.
// Returns: CH_OK, or the code with which `launch` would refuse it.
// Errors: CH_UNIMPLEMENTED for a trace or an exploration that there is none of; CH_PLATFORM_FAILED if programs of an
// earlier launch may still run, for they use the memory that the run would write.
[[nodiscard]] int32_t check_launch(Device* device, const LaunchOptions& options, ch_error* out_error);

// Runs both programs and returns when all AICPU threads are done and what they and the cores have written can be copied
// from the device. PLAT-25 to PLAT-35, PLAT-45 to PLAT-49, PLAT-51.
//
// Afterwards the device can be launched again, whatever way the launch ended, unless `check_launch` says otherwise: a
// chip that no call reaches any more may leave the platform no way to know that its programs have ended. A launch never
// returns only if a thread or a core of the device does not: the caller waits elsewhere.
//
// device: one for which `check_launch` has said CH_OK.
// options: borrowed for the call, with all in them.
// Errors: faults that the device itself reports are in its ch_launch_status, and the launch returns CH_OK. The code is
// for everything else: CH_STALLED where the platform can tell that nobody will ever go on, CH_DEADLINE_EXCEEDED after a
// cancel, CH_PLATFORM_FAILED. The message tells what the launch had to leave behind, such as an orchestration that does
// not return.
[[nodiscard]] int32_t launch(Device* device, const LaunchOptions& options, ch_error* out_error);

}  // namespace chiphost::platform
