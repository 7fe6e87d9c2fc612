// SPDX-License-Identifier: Apache-2.0
#include "scalar.h"

#include <nanobind/stl/string.h>
#include <string.h>

#include "dtype.h"
#include "raise.h"

namespace nb = nanobind;

namespace chiphost::bindings {

namespace {

template <typename T>
uint64_t word_of(T value) {
    uint64_t word = 0;
    memcpy(&word, &value, sizeof value);  // little-endian
    return word;
}

double as_double(nb::handle number, const std::string& where) {
    const double value = PyFloat_AsDouble(number.ptr());
    if (value == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        raise(CH_INVALID_ARGUMENT, where, "wanted a number, found " + type_of(number));
    }
    return value;
}

// An integer in [low, high] as its word; both bounds fit into 65 bits.
uint64_t integer_word(nb::handle number, int dtype, const std::string& where) {
    if (own_dtype_name(number) == "bool") return PyObject_IsTrue(number.ptr()) == 1;  // has no __index__
    PyObject* index = PyNumber_Index(number.ptr());
    if (!index) {
        PyErr_Clear();
        raise(CH_INVALID_ARGUMENT, where,
              std::string("wanted an integer (") + dtype_name(dtype) + "), found " + type_of(number));
    }
    const nb::object holder = nb::steal(index);
    const auto out_of_range = [&]() {
        raise(CH_INVALID_ARGUMENT, where,
              nb::cast<std::string>(nb::str(holder)) + " does not fit into " +
                  (dtype < 0 ? "64 bits" : dtype_name(dtype)));
    };
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (overflow < 0) out_of_range();
    if (overflow > 0) {
        const unsigned long long large = PyLong_AsUnsignedLongLong(index);
        if (PyErr_Occurred()) {
            PyErr_Clear();
            out_of_range();
        }
        if (dtype >= 0 && dtype != CH_UINT64) out_of_range();
        return large;
    }
    int64_t low = INT64_MIN;
    int64_t high = INT64_MAX;
    switch (dtype) {
        case CH_BOOL:
            low = 0, high = 1;
            break;
        case CH_INT8:
            low = INT8_MIN, high = INT8_MAX;
            break;
        case CH_INT16:
            low = INT16_MIN, high = INT16_MAX;
            break;
        case CH_INT32:
            low = INT32_MIN, high = INT32_MAX;
            break;
        case CH_UINT8:
            low = 0, high = UINT8_MAX;
            break;
        case CH_UINT16:
            low = 0, high = UINT16_MAX;
            break;
        case CH_UINT32:
            low = 0, high = UINT32_MAX;
            break;
        case CH_UINT64:
            low = 0;
            break;
        default:
            break;
    }
    if (value < low || value > high) out_of_range();
    return static_cast<uint64_t>(value);
}

}  // namespace

uint64_t scalar_word(nb::handle number, int dtype, const std::string& where) {
    switch (dtype) {
        case CH_FLOAT32:
            return word_of(static_cast<float>(as_double(number, where)));
        case CH_FLOAT64:
            return word_of(as_double(number, where));
        case -1:
            break;
        default:
            return integer_word(number, dtype, where);
    }
    // NumPy scalars and ctypes numbers say what they are. NumPy's float64 is a Python float too, so it is asked first.
    const std::string name = own_dtype_name(number);
    if (name == "float32") return word_of(static_cast<float>(as_double(number, where)));
    if (name == "float64") return word_of(as_double(number, where));
    if (name.find("int") != std::string::npos || name == "bool") return integer_word(number, -1, where);
    if (PyFloat_Check(number.ptr())) return word_of(static_cast<float>(as_double(number, where)));
    if (PyLong_Check(number.ptr())) return integer_word(number, -1, where);
    if (nb::hasattr(number, "value")) {
        const nb::object value = number.attr("value");
        if (type_of(number) == "c_double") return word_of(as_double(value, where));
        return scalar_word(value, -1, where);
    }
    raise(CH_INVALID_ARGUMENT, where, "wanted an int or a float, found " + type_of(number));
}

bool is_number(nb::handle value) {
    if (PyLong_Check(value.ptr()) || PyFloat_Check(value.ptr())) return true;
    const std::string module = nb::cast<std::string>(nb::str(value.type().attr("__module__")));
    if (module == "ctypes") return nb::hasattr(value, "value");
    return module == "numpy" && nb::hasattr(value, "ndim") && nb::cast<int>(value.attr("ndim")) == 0 &&
           !nb::hasattr(value, "__setitem__");
}

}  // namespace chiphost::bindings
