// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace chiphost::bindings {

// Adds the class Worker; its methods name Callable, CallConfig and RunResult.
void bind_worker(nanobind::module_& module);

}  // namespace chiphost::bindings
