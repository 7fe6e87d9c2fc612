// SPDX-License-Identifier: Apache-2.0
//
// chiphost._core: the C++ core as Python sees it. The package's Python modules make the public classes and functions
// from it.
#include <nanobind/nanobind.h>

#include "call_config.h"
#include "call_guard.h"
#include "callable.h"
#include "child.h"
#include "chiphost/abi/callable.h"
#include "chiphost/abi/host_orchestration.h"
#include "chiphost/abi/host_runtime.h"
#include "chiphost/isolate/strategy.h"
#include "exploration.h"
#include "library.h"
#include "library_function.h"
#include "library_memory.h"
#include "namespaces.h"
#include "run_result.h"
#include "tables.h"
#include "worker.h"

namespace nb = nanobind;
using namespace nb::literals;

NB_MODULE(_core, module) {
    using namespace chiphost::bindings;

    nb::set_leak_warnings(false);  // a run that never returns keeps its callable on purpose

    module.attr("VERSION") = CHIPHOST_VERSION;
    module.attr("MAX_FUNC_ID") = CH_MAX_FUNC_ID;
    module.attr("MAX_TASK_ARGS") = CH_MAX_TASK_ARGS;
    module.attr("MAX_DIMS") = CH_MAX_DIMS;
    module.attr("MAX_SIM_THREADS") = CH_MAX_SIM_THREADS;
    nb::list strategies;
    for (const auto strategy : chiphost::isolate::strategies) {
        strategies.append(chiphost::isolate::strategy_name(strategy));
    }
    module.attr("STRATEGIES") = nb::tuple(strategies);
    module.def("end_calls", end_calls, "error"_a, nb::sig("def end_calls(error: BaseException) -> None"),
               "Refuse the calls of other threads with this error, stop their runs and wait until they have ended.");

    bind_tables(module);
    bind_namespaces(module);
    bind_child(module);
    bind_call_config(module);
    bind_callable(module);
    bind_run_result(module);
    bind_exploration(module);
    bind_library_function(module);
    bind_library_memory(module);
    bind_library(module);
    bind_worker(module);
}
