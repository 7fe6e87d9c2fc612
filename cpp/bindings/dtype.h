// SPDX-License-Identifier: Apache-2.0
//
// Data types: the names that NumPy, the buffer protocol and DLPack have for a ch_dtype. Everything needs the GIL.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <string>

namespace chiphost::bindings {

// NumPy's name of a ch_dtype; "any" for -1.
const char* dtype_name(int dtype);

// True if there is a ch_dtype of this name.
bool is_supported(const std::string& dtype);

// NumPy's names of all, each with a space after it.
const char* supported_dtypes();

// Words for messages: this dtype is not supported, and which ones are.
std::string unsupported(const std::string& dtype);

// Name of an array's or a NumPy scalar's dtype; "" if it has none. Other libraries' dtypes have no name.
std::string own_dtype_name(nanobind::handle object);

// ch_dtype of a buffer's format (struct module syntax, native byte order), -1 if there is none.
int dtype_of_format(const char* format, Py_ssize_t item_bytes);

// ch_dtype of an element of DLPack, -1 if there is none.
int dtype_of_dlpack(nanobind::dlpack::dtype dtype);

// "float8_e4m3fnuz", or what else an element of DLPack is called, for messages.
std::string dlpack_dtype_text(nanobind::dlpack::dtype dtype);

}  // namespace chiphost::bindings
