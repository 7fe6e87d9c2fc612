// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "chiphost/abi/callable.h"
#include "chiphost/abi/error.h"
#include "chiphost/abi/host_runtime.h"
#include "isolate/child/code_samples.h"

namespace chiphost::worker {

// The place where a run is, or was when it came to its end, as far as its progress tells.
struct RunPlace {
    const char* where;  // "device", "the orchestration", "loading the callable"
    std::string what;   // the same, or "kernel `add` of submit #3 on core 5"
    int64_t task = -1;
    int32_t core = -1;
    int32_t func_id = -1;
    int64_t submission = -1;  // low bits of the task's number in the run
    uint32_t lane = 0;        // of a kernel: the host thread that runs it
    std::string code;         // " at [func_id 3+0x11f2,0x1200]", if find_code has found it

    // The callable is the one that runs.
    static RunPlace of(const ch_run_progress& progress, const ch_callable& callable);
    // One for each kernel that is executed at the same time; that of the whole run if there is none.
    static std::vector<RunPlace> all_of(const ch_run_progress& progress, const ch_callable& callable);

    // Finds out where in the code that is, as far as the run's threads have said.
    void find_code(const isolate::CodeSamples& samples);

    // Puts task, core and kernel into an error.
    void blame(ch_error* error) const;
};

// Puts a progress to what it is before a run.
void begin_progress(ch_run_progress* out_progress);

// The name of a kernel of the callable; nullptr: it has none of that number. Also for signal handlers.
inline const char* kernel_name(const ch_callable& callable, int32_t func_id) {
    for (uint32_t i = 0; i < callable.kernel_count; ++i) {
        if (static_cast<int32_t>(callable.kernels[i].func_id) == func_id) return callable.kernels[i].binary.name;
    }
    return nullptr;
}

}  // namespace chiphost::worker
