// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <tuple>
#include <vector>

#include "array.h"
#include "isolate/instance.h"
#include "library_owner.h"

namespace chiphost::bindings {

// (kind, dtype or -1, label): kind is "void", "scalar", "pointer", "text", "in", "out" or "inout"; the dtype is that of
// a scalar or of a buffer's elements; the label is for messages.
using PyType = std::tuple<std::string, int, std::string>;

class LibraryMemory;

// A function of an open library, and how its arguments are made. Keeps the library open. Immutable; needs the GIL, and
// gives it away during a call.
class LibraryFunction {
public:
    LibraryFunction(LibraryOwner owner, isolate::Symbol symbol, const PyType& result,
                    const std::vector<PyType>& parameters, isolate::Timeout timeout);

    // The timeout is in seconds, or None for the function's own. Arrays and values stay alive for ever if the call
    // never returns.
    nanobind::object call(const nanobind::args& values, nanobind::handle timeout_s) const;

    const std::string& name() const { return symbol_.name; }

private:
    isolate::Argument bind(size_t index, nanobind::handle value, Pins& pins) const;
    isolate::Argument bind_pointer(nanobind::handle value, const std::string& where) const;
    isolate::Argument bind_memory(const LibraryMemory& memory, const std::string& where) const;
    nanobind::object to_python(const isolate::Value& value) const;

    const LibraryOwner owner_;
    const isolate::Symbol symbol_;
    const isolate::Timeout timeout_;
    isolate::Signature signature_;
    std::vector<ArgSpec> specs_;
};

// Adds the class LibraryFunction.
void bind_library_function(nanobind::module_& module);

}  // namespace chiphost::bindings
