// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace chiphost::bindings {

// Adds the functions that say whether this process can open linker namespaces, and how many.
void bind_namespaces(nanobind::module_& module);

}  // namespace chiphost::bindings
