// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>
#include <stdint.h>

namespace chiphost::bindings {

// The result of a run that succeeded. Times are in nanoseconds.
struct RunResult {
    uint64_t task_count;
    uint64_t orchestration_ns;
    uint64_t device_ns;
    uint64_t total_ns;
    nanobind::object trace;         // bytes: the ch_trace_events, or None
    nanobind::object check_report;  // str: JSON, or None
};

// Adds the class RunResult.
void bind_run_result(nanobind::module_& module);

}  // namespace chiphost::bindings
