// SPDX-License-Identifier: Apache-2.0
//
// Library handles for Python; see chiphost.isolate.
#pragma once

#include <nanobind/nanobind.h>

namespace chiphost::bindings {

// Adds the class Library; its methods make a LibraryFunction and LibraryMemory.
void bind_library(nanobind::module_& module);

}  // namespace chiphost::bindings
