// SPDX-License-Identifier: Apache-2.0
//
// Numbers of Python, NumPy and ctypes as scalar arguments.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "chiphost/abi/tensor.h"

namespace chiphost::bindings {

// A Python number as the 64-bit word of a scalar argument. Raises ArgumentError. dtype -1: by the number's own type, a
// Python float as float32, a NumPy float64 as float64. `where` names the argument in messages. Needs the GIL.
uint64_t scalar_word(nanobind::handle number, int dtype, const std::string& where);

// True if a value that no signature describes is a number: Python's, NumPy's or ctypes'. Everything else is an array.
bool is_number(nanobind::handle value);

}  // namespace chiphost::bindings
