// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "array.h"
#include "chiphost/abi/callable.h"

namespace chiphost::bindings {

// (bytes, key, name)
using PyBinary = std::tuple<nanobind::bytes, std::string, std::string>;
// (func_id, core_type, binary)
using PyKernel = std::tuple<int, int, PyBinary>;
// (name, kind, dtype or -1, shape or None; -1 in it: any length)
using PyArg = std::tuple<std::string, std::string, int, std::optional<std::vector<int64_t>>>;

// A callable and the bytes it refers to. Immutable, so that any number of workers may run it at once.
class Callable {
public:
    Callable(PyBinary orchestration, std::string entry, std::vector<PyKernel> kernels, std::string key,
             std::optional<std::vector<PyArg>> signature);
    Callable(const Callable&) = delete;
    Callable& operator=(const Callable&) = delete;

    // Lives as long as this object, with all it points to.
    const ch_callable& raw() const { return raw_; }
    // Without a signature a run is not checked against one, and signature() is empty.
    bool has_signature() const { return has_signature_; }
    const std::vector<ArgSpec>& signature() const { return signature_; }

private:
    ch_binary keep(PyBinary binary);
    void add_arg(const PyArg& arg);

    std::vector<PyBinary> binaries_;
    std::vector<ch_kernel> kernels_;
    std::string entry_;
    std::string key_;
    bool has_signature_;
    std::vector<ArgSpec> signature_;
    ch_callable raw_{};
};

// Adds the class Callable.
void bind_callable(nanobind::module_& module);

}  // namespace chiphost::bindings
