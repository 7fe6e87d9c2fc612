// SPDX-License-Identifier: Apache-2.0
//
// A platform gives this to the host runtime: one device with its memory, its programs and the launch. A port implements
// these functions and links them into the host runtime.
//
// Errors: a function that returns int32_t returns CH_OK, or a code with *out_error filled: the same code, the place, a
// message with the values (status/report.h does that). CH_UNIMPLEMENTED says that the platform does not have it. After
// an error everything is as before the call (PLAT-50). No function throws anything but std::bad_alloc.
//
// Threads: a device is used by one thread at a time, not always the same; different devices are independent, and the
// platform keeps nothing in globals (PLAT-55 to PLAT-58). Threads are the anchor's (abi/anchor.h); a platform makes
// none of its own (PLAT-52).
//
// The requirements on a port are numbered, PLAT-01 and so on: docs/reference/platform-requirements.md says what happens
// otherwise and which conformance test looks.
#pragma once

#include <stdint.h>

#include <vector>

#include "chip.h"
#include "chiphost/abi/device_program.h"
#include "chiphost/abi/host_runtime.h"

namespace chiphost::platform {

// "a2a3sim": the platform for which the host runtime is built, and so are the device programs that it may load. Not the
// platform's to define: the host runtime does.
extern const char* const platform_name;

// Defined by the platform.
class Device;

// Opens the device and loads its two programs. The caller owns *out_device and gives it to close_device. The options
// are borrowed for the call, strings included; the anchor outlives the device. Errors: what is wrong with a program's
// file (CH_FILE_UNREADABLE, CH_NOT_ELF, CH_ENTRY_MISSING, CH_ABI_MISMATCH and the like), CH_PLATFORM_FAILED.
// PLAT-01, PLAT-15, PLAT-16.
[[nodiscard]] int32_t open_device(const ch_device_options& options, Device** out_device, ch_error* out_error);

// Frees the device and everything that was allocated, loaded or lent for it, whatever way its last launch ended. No
// launch may be under way. PLAT-60 to PLAT-62.
void close_device(Device* device);

// Device memory with an alignment of 64 and undefined content. bytes 0 is one byte. The memory belongs to the device
// and lives until release or close_device. CH_DEVICE_MEMORY_EXHAUSTED says how much was wanted and how much is free.
// PLAT-02 to PLAT-04, PLAT-07.
[[nodiscard]] int32_t allocate(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error);

// Allocates memory with content 0. Where the platform can, memory is reserved now and used as it is touched. PLAT-05.
[[nodiscard]] int32_t allocate_zeroed(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error);

// Frees what `allocate` or `allocate_zeroed` returned. Programs may not be using it. It has nobody to tell of a
// failure: what cannot be freed is lost until close_device. PLAT-06.
void release(Device* device, uint64_t address);

// Copy to and from device memory, from any byte to any byte inside an allocation; when they return, the host's memory
// is the caller's again. bytes 0 copies nothing, and the addresses may be null. CH_PLATFORM_FAILED where a copy can
// fail. PLAT-08 to PLAT-10.
[[nodiscard]] int32_t copy_to_device(Device* device, uint64_t to, const void* from, uint64_t bytes,
                                     ch_error* out_error);
[[nodiscard]] int32_t copy_from_device(Device* device, void* to, uint64_t from, uint64_t bytes, ch_error* out_error);

// A kernel that is ready to be called by the device's cores.
struct LoadedKernel {
    uint64_t address = 0;     // what Payload::kernel is to hold
    void* owner = nullptr;    // the platform's
    bool hands_over = false;  // it wants a hand-over area (hand_over.h); true if the platform cannot tell
};

// Loads a kernel; its bytes are borrowed for the call. The kernel is the device's and lives until unload_kernel, which
// is called before close_device, and not while a launch may call it. CH_NOT_ELF, CH_ENTRY_MISSING, CH_LOAD_REFUSED and
// the like, with the binary's name; CH_DEVICE_MEMORY_EXHAUSTED. PLAT-11 to PLAT-14.
[[nodiscard]] int32_t load_kernel(Device* device, const ch_kernel& kernel, LoadedKernel* out_kernel,
                                  ch_error* out_error);
void unload_kernel(Device* device, const LoadedKernel& kernel);

// How a launch is to be executed; the fields that a real chip has no use for are ignored there.
struct LaunchOptions {
    uint64_t launch;  // device address of the ch_launch record; 0 for check_launch: there is none yet
    uint32_t block_dim;
    uint32_t aicpu_threads;
    uint32_t sim_threads;
    uint64_t seed;
    ch_run_progress* progress;               // progress->cancel ends the launch early; any thread sets it, at any time
    std::vector<ch_trace_event>* out_trace;  // nullptr: not wanted
};

// Says whether `launch` would begin such a launch: it is asked before a run writes anything to the device. CH_OK, or
// what `launch` would refuse it with: CH_UNIMPLEMENTED for a trace that there is none of; CH_PLATFORM_FAILED if
// programs of an earlier launch may still run, for they use the memory that the run would write. Changes nothing; the
// options are borrowed for the call. PLAT-49.
[[nodiscard]] int32_t check_launch(Device* device, const LaunchOptions& options, ch_error* out_error);

// Runs both programs and returns when all AICPU threads are done and what they and the cores have written can be copied
// from the device. Faults that the device itself reports are in its ch_launch_status; the returned code is for
// everything else: CH_STALLED where the platform can tell that nobody will ever go on, CH_DEADLINE_EXCEEDED after a
// cancel, CH_PLATFORM_FAILED. Called after check_launch has said CH_OK. Afterwards the device can be launched again,
// whatever way the launch ended, unless check_launch says otherwise: a chip that no call reaches any more may leave the
// platform no way to know that its programs have ended. What a launch had to leave behind, such as an orchestration
// that does not return, is told in its error. All in the options is borrowed for the call. A launch never returns only
// if a thread or a core of the device does not: the caller waits elsewhere. PLAT-25 to PLAT-35, PLAT-45 to PLAT-49.
[[nodiscard]] int32_t launch(Device* device, const LaunchOptions& options, ch_error* out_error);

}  // namespace chiphost::platform
