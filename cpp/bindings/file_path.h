// SPDX-License-Identifier: Apache-2.0
//
// Names of files between Python and C++. They may be any bytes, not only UTF-8.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>

#include <filesystem>
#include <string>

namespace chiphost::bindings {

// An argument that names a file. nanobind makes it from a str or a path by the rules of os.fsencode.
using FilePath = std::filesystem::path;

// The str that os.fsdecode makes of such a name. Needs the GIL.
inline nanobind::object text_of_path(const std::string& path) {
    return nanobind::steal(PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size())));
}

}  // namespace chiphost::bindings
