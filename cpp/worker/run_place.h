// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "chiphost/abi/error.h"
#include "chiphost/abi/host_runtime.h"

namespace chiphost::worker {

// Where a run is, or was when it came to its end, as far as its progress tells.
struct RunPlace {
    const char* where;  // "device", "the orchestration", "loading the callable"
    std::string what;   // the same, or "kernel 1 of task 3 on core 5"
    int64_t task = -1;
    int32_t core = -1;
    int32_t func_id = -1;

    static RunPlace of(const ch_run_progress& progress);

    // Puts task, core and kernel into an error.
    void blame(ch_error* error) const;
};

}  // namespace chiphost::worker
