// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "chiphost/abi/host_runtime.h"

namespace chiphost::isolate {

// Where a thread of a run is in the run's programs. It is asked by a signal, and answers in the handler. Begins as
// zeros.
struct CodeSample {
    static constexpr uint32_t depth_max = 8;
    static constexpr int32_t of_orchestration = -1;

    uint32_t taken;          // atomic; 1: the rest is valid
    int32_t func_id;         // the kernel whose code it is, or of_orchestration
    uint32_t depth;          // entries of `at`; 0: the thread is in no program of the run
    uint64_t at[depth_max];  // return addresses as the program's file has them, the innermost first
};

// Those of all threads of a run, in memory that a child shares with its parent.
struct CodeSamples {
    CodeSample lanes[CH_MAX_SIM_THREADS];  // as in ch_run_progress
};

}  // namespace chiphost::isolate
