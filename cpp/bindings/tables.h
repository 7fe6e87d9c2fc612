// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace chiphost::bindings {

// Adds error_table and dtype_table: what the C ABI has as macros, for Python to read.
void bind_tables(nanobind::module_& module);

}  // namespace chiphost::bindings
