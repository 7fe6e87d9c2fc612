// SPDX-License-Identifier: Apache-2.0
//
// Arrays of any library as ch_tensor, without a copy.
#pragma once

#include <nanobind/nanobind.h>

#include <deque>
#include <string>
#include <vector>

#include "chiphost/abi/tensor.h"

namespace chiphost::bindings {

// One argument of a callable's signature.
struct ArgSpec {
    std::string name;
    ch_access access = CH_ACCESS_UNKNOWN;  // arrays
    bool scalar = false;
    int dtype = -1;  // ch_dtype, -1: any
    bool any_shape = true;
    std::vector<int64_t> shape;  // -1: any length
};

// Keeps the memory of arrays in place while a run uses it. Made, filled and destroyed with the GIL held.
class Pins {
public:
    Pins() = default;
    ~Pins();
    Pins(const Pins&) = delete;
    Pins& operator=(const Pins&) = delete;

    // Describes a Python array: anything with the buffer protocol or DLPack on the CPU. Raises ArgumentError if it does
    // not fit the spec. `where` names the argument in messages.
    ch_tensor add(nanobind::handle array, const ArgSpec& spec, const std::string& where);

    // Leaves the arrays pinned for ever: a run that never returned may still use them.
    void abandon();

private:
    bool add_buffer(nanobind::handle array, ch_tensor* out_tensor, bool* out_read_only, const std::string& where);
    void add_dlpack(nanobind::handle array, ch_tensor* out_tensor, bool* out_read_only, const std::string& where);

    std::deque<Py_buffer> buffers_;  // their addresses must not change: exporters may keep them
    std::vector<nanobind::object> owners_;
};

}  // namespace chiphost::bindings
