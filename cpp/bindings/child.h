// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace chiphost::bindings {

// Adds start_child, which tries a child process.
void bind_child(nanobind::module_& module);

}  // namespace chiphost::bindings
