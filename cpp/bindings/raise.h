// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "chiphost/abi/error.h"

namespace chiphost::bindings {

// Raises the Python exception for an error record; never returns. Needs the GIL.
[[noreturn]] void raise(const ch_error& error);

// Raises the Python exception for an error that the bindings themselves have found.
[[noreturn]] void raise(ch_code code, const std::string& where, const std::string& message);

// Raises it with a Python exception as its cause.
[[noreturn]] void raise_from(const nanobind::python_error& cause, ch_code code, const std::string& where,
                             const std::string& message);

// Name of an object's type, for messages. Needs the GIL.
std::string type_of(nanobind::handle object);

}  // namespace chiphost::bindings
