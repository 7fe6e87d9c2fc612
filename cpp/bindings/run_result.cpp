// SPDX-License-Identifier: Apache-2.0
#include "run_result.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <string>
#include <tuple>

namespace nb = nanobind;

namespace chiphost::bindings {

void bind_run_result(nb::module_& module) {
    nb::class_<RunResult>(module, "RunResult", R"(What a run that succeeded says of itself.

Attributes:
    task_count: tasks in the graph.
    orchestration_ns: time the orchestration and the checks of the graph took.
    device_ns: time from launch to completion.
    total_ns: time in the runtime, copies included.
    trace: bytes of the trace if one was asked for, otherwise None.
    check_report: what the checks have found, as JSON, if any were asked for, otherwise None; see `checks`.)")
        .def_ro("task_count", &RunResult::task_count)
        .def_ro("orchestration_ns", &RunResult::orchestration_ns)
        .def_ro("device_ns", &RunResult::device_ns)
        .def_ro("total_ns", &RunResult::total_ns)
        .def_prop_ro(
            "trace", [](const RunResult& self) { return self.trace; },
            nb::for_getter(nb::sig("def trace(self) -> bytes | None")))
        .def_prop_ro(
            "check_report", [](const RunResult& self) { return self.check_report; },
            nb::for_getter(nb::sig("def check_report(self) -> str | None")))
        .def("__getstate__",
             [](const RunResult& self) {
                 return std::make_tuple(self.task_count, self.orchestration_ns, self.device_ns, self.total_ns,
                                        self.trace, self.check_report);
             })
        .def("__setstate__",
             [](RunResult* self,
                const std::tuple<uint64_t, uint64_t, uint64_t, uint64_t, nb::object, nb::object>& state) {
                 const auto& [task_count, orchestration_ns, device_ns, total_ns, trace, report] = state;
                 new (self) RunResult{task_count, orchestration_ns, device_ns, total_ns, trace, report};
             })
        .def("__repr__", [](const RunResult& self) {
            return "RunResult(task_count=" + std::to_string(self.task_count) +
                   ", total_ns=" + std::to_string(self.total_ns) + ")";
        });
}

}  // namespace chiphost::bindings
