// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <vector>

#include "chiphost/abi/anchor.h"
#include "chiphost/abi/device_program.h"
#include "chiphost/abi/host_runtime.h"
#include "scratch.h"
#include "sim_port.h"
#include "status/status.h"

namespace chiphost::platform {

// The two programs of a simulated device, which are libraries of this process, and what outlives a launch of them: the
// AICPU program's context with the orchestrations that it has loaded. Used by one thread at a time; the keeper, by the
// thread that steps the orchestration.
class DevicePrograms {
public:
    // Everything is borrowed.
    DevicePrograms(const ch_anchor* anchor, void* anchor_state);
    ~DevicePrograms();  // unloads the programs; there is no context any more
    DevicePrograms(const DevicePrograms&) = delete;
    DevicePrograms& operator=(const DevicePrograms&) = delete;

    // Loads both. Once, and before anything below. CH_ENTRY_MISSING, CH_ABI_MISMATCH, and what the anchor says of
    // files.
    Status load(const ch_device_options& options, ch_error* out_error);

    const ch_aicpu_program& aicpu() const { return *aicpu_; }
    const ch_aicore_program& aicore() const { return *aicore_; }

    // The AICPU program's context, made at the first call. Throws std::bad_alloc.
    void* aicpu_context();
    // Unloads the orchestrations. There is no launch any more.
    void destroy_aicpu_context();

    // Who is to be told of orchestrations: for the ports of AICPU threads.
    const OrchestrationKeeper& keeper() const { return keeper_; }
    ch_loader_gate* loader_gate() const { return loader_gate_; }

private:
    static void orchestration_loaded(void* programs, void* library, uint64_t loaded_at_ns);
    static void orchestration_closing(void* programs, void* library);
    static void orchestration_opened(void* programs, void* library);
    void keep_if_running(const ch_keep_request& orchestration);
    Status load_program(const ch_program_file& file, const char* entry, ch_library** out_library, void** out_entry,
                        ch_error* out_error);

    const ch_anchor* const anchor_;
    void* const anchor_state_;
    ch_loader_gate* loader_gate_ = nullptr;
    const OrchestrationKeeper keeper_;
    std::vector<ch_keep_request> orchestrations_;  // that the AICPU program has loaded
    ch_library* aicpu_library_ = nullptr;
    ch_library* aicore_library_ = nullptr;
    const ch_aicpu_program* aicpu_ = nullptr;
    const ch_aicore_program* aicore_ = nullptr;
    Scratch aicpu_context_;
    bool aicpu_created_ = false;
};

// Finds a symbol of a library; *out_address is nullptr if the library does not define it. `path` is for the error.
Status find_symbol(const ch_anchor* anchor, void* anchor_state, ch_library* library, const char* symbol,
                   const char* path, void** out_address, ch_error* out_error);

}  // namespace chiphost::platform
