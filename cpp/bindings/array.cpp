// SPDX-License-Identifier: Apache-2.0
#include "array.h"

#include <string.h>

#include "raise.h"

namespace nb = nanobind;

namespace chiphost::bindings {

const char* dtype_name(int dtype) {
    switch (dtype) {
#define CH_DTYPE(number, name, bytes, numpy_name) \
    case number:                                  \
        return numpy_name;
        CH_DTYPE_TABLE(CH_DTYPE)
#undef CH_DTYPE
        default:
            return "any";
    }
}

std::string type_of(nb::handle object) {
    return nb::cast<std::string>(nb::str(object.type().attr("__name__")));
}

namespace {

constexpr const char* supported_dtypes =
#define CH_DTYPE(number, name, bytes, numpy_name) numpy_name " "
    CH_DTYPE_TABLE(CH_DTYPE)
#undef CH_DTYPE
    ;

bool is_supported(const std::string& dtype) {
#define CH_DTYPE(number, name, bytes, numpy_name) \
    if (dtype == numpy_name) return true;
    CH_DTYPE_TABLE(CH_DTYPE)
#undef CH_DTYPE
    return false;
}

// Name of an array's or a NumPy scalar's dtype; "" if it has none. Other libraries' dtypes have no name.
std::string own_dtype_name(nb::handle object) {
    if (!nb::hasattr(object, "dtype")) return "";
    const nb::object dtype = object.attr("dtype");
    return nb::hasattr(dtype, "name") ? nb::cast<std::string>(nb::str(dtype.attr("name"))) : "";
}

std::string unsupported(const std::string& dtype) {
    return "dtype '" + dtype + "' is not supported; supported are " + supported_dtypes;
}

// "BufferError: what it says", for messages.
std::string words_of(const nb::python_error& error) {
    const nb::handle value = error.value();
    return type_of(value) + ": " + nb::cast<std::string>(nb::str(value));
}

// Before an array is asked for its memory: the one of another device may have to be copied for that, or refuses.
void check_device(nb::handle array, const std::string& where) {
    if (!nb::hasattr(array, "__dlpack_device__")) return;
    try {
        const nb::object device = array.attr("__dlpack_device__")();
        if (nb::int_(device[0]).equal(nb::int_(nb::device::cpu::value))) return;
    } catch (const nb::python_error& error) {
        raise_from(error, CH_INVALID_ARGUMENT, where, "its __dlpack_device__ raised " + words_of(error));
    }
    raise(CH_INVALID_ARGUMENT, where, "wanted an array in host memory; copy it to the CPU first");
}

// Says why an object that gave no memory, neither as a buffer nor by DLPack, is no array.
[[noreturn]] void refuse_array(nb::handle array, const std::string& where) {
    if (!nb::hasattr(array, "__dlpack__")) {
        raise(CH_INVALID_ARGUMENT, where, "wanted an array (buffer protocol or DLPack), found " + type_of(array));
    }
    try {
        array.attr("__dlpack__")();
    } catch (const nb::python_error& error) {
        // NumPy's own words are about DLPack, of which the user knows nothing.
        const std::string dtype = own_dtype_name(array);
        if (!dtype.empty() && !is_supported(dtype)) {
            raise_from(error, CH_ARGUMENT_DTYPE, where, unsupported(dtype));
        }
        raise_from(error, CH_INVALID_ARGUMENT, where, "its __dlpack__ raised " + words_of(error));
    }
    raise(CH_INVALID_ARGUMENT, where, "the __dlpack__ of " + type_of(array) + " gave nothing that can be used");
}

// ch_dtype of a buffer's format (struct module syntax, native byte order), -1 if there is none.
int dtype_of_format(const char* format, Py_ssize_t item_bytes) {
    if (!format) return CH_UINT8;
    if (*format == '@' || *format == '=' || *format == '<') ++format;  // all mean little-endian here
    if (format[0] == 0 || format[1] != 0) return -1;
    switch (*format) {
        case 'e':
            return CH_FLOAT16;
        case 'f':
            return CH_FLOAT32;
        case 'd':
            return CH_FLOAT64;
        case '?':
            return CH_BOOL;
        case 'b':
        case 'h':
        case 'i':
        case 'l':
        case 'q':
            return item_bytes == 1 ? CH_INT8 : item_bytes == 2 ? CH_INT16 : item_bytes == 4 ? CH_INT32 : CH_INT64;
        case 'B':
        case 'H':
        case 'I':
        case 'L':
        case 'Q':
            return item_bytes == 1 ? CH_UINT8 : item_bytes == 2 ? CH_UINT16 : item_bytes == 4 ? CH_UINT32 : CH_UINT64;
        default:
            return -1;
    }
}

// "float8_e4m3fnuz", or what else an element of DLPack is called, for messages.
std::string dlpack_dtype_text(nb::dlpack::dtype dtype) {
    using Code = nb::dlpack::dtype_code;
    const std::string bits = std::to_string(dtype.bits);
    const auto name = [&]() -> std::string {
        switch (static_cast<Code>(dtype.code)) {
            case Code::Int:
                return "int" + bits;
            case Code::UInt:
                return "uint" + bits;
            case Code::Float:
                return "float" + bits;
            case Code::Bfloat:
                return "bfloat" + bits;
            case Code::Complex:
                return "complex" + bits;
            case Code::Bcomplex:
                return "bcomplex" + bits;
            case Code::Bool:
                return dtype.bits == 8 ? "bool" : "bool of " + bits + " bits";
            case Code::Float8_E3M4:
                return "float8_e3m4";
            case Code::Float8_E4M3:
                return "float8_e4m3";
            case Code::Float8_E4M3B11FNUZ:
                return "float8_e4m3b11fnuz";
            case Code::Float8_E4M3FN:
                return "float8_e4m3fn";
            case Code::Float8_E4M3FNUZ:
                return "float8_e4m3fnuz";
            case Code::Float8_E5M2:
                return "float8_e5m2";
            case Code::Float8_E5M2FNUZ:
                return "float8_e5m2fnuz";
            case Code::Float8_E8M0FNU:
                return "float8_e8m0fnu";
            case Code::Float6_E2M3FN:
                return "float6_e2m3fn";
            case Code::Float6_E3M2FN:
                return "float6_e3m2fn";
            case Code::Float4_E2M1FN:
                return "float4_e2m1fn";
            default:
                return "DLPack's code " + std::to_string(dtype.code) + " with " + bits + " bits";
        }
    };
    return name() + (dtype.lanes == 1 ? "" : " in vectors of " + std::to_string(dtype.lanes));
}

int dtype_of_dlpack(nb::dlpack::dtype dtype) {
    if (dtype.lanes != 1) return -1;
    switch (static_cast<nb::dlpack::dtype_code>(dtype.code)) {
        case nb::dlpack::dtype_code::Float:
            return dtype.bits == 16 ? CH_FLOAT16 : dtype.bits == 32 ? CH_FLOAT32 : dtype.bits == 64 ? CH_FLOAT64 : -1;
        case nb::dlpack::dtype_code::Bfloat:
            return dtype.bits == 16 ? CH_BFLOAT16 : -1;
        case nb::dlpack::dtype_code::Bool:
            return dtype.bits == 8 ? CH_BOOL : -1;
        case nb::dlpack::dtype_code::Float8_E4M3FN:
            return dtype.bits == 8 ? CH_FLOAT8_E4M3FN : -1;
        case nb::dlpack::dtype_code::Float8_E5M2:
            return dtype.bits == 8 ? CH_FLOAT8_E5M2 : -1;
        case nb::dlpack::dtype_code::Int:
            return dtype.bits == 8    ? CH_INT8
                   : dtype.bits == 16 ? CH_INT16
                   : dtype.bits == 32 ? CH_INT32
                   : dtype.bits == 64 ? CH_INT64
                                      : -1;
        case nb::dlpack::dtype_code::UInt:
            return dtype.bits == 8    ? CH_UINT8
                   : dtype.bits == 16 ? CH_UINT16
                   : dtype.bits == 32 ? CH_UINT32
                   : dtype.bits == 64 ? CH_UINT64
                                      : -1;
        default:
            return -1;
    }
}

// NumPy arrays of ml_dtypes' types refuse to export a buffer; a view of the same bytes as integers does not.
nb::object integer_view(nb::handle array, int* out_dtype) {
    const std::string name = own_dtype_name(array);
    for (int dtype : {CH_BFLOAT16, CH_FLOAT8_E4M3FN, CH_FLOAT8_E5M2}) {
        if (name != dtype_name(dtype) || !nb::hasattr(array, "view")) continue;
        *out_dtype = dtype;
        return array.attr("view")(ch_dtype_bytes(static_cast<uint32_t>(dtype)) == 2 ? "uint16" : "uint8");
    }
    return nb::none();
}

template <typename Length>
std::string shape_text(const Length* shape, size_t ndims) {
    std::string text = "(";
    for (size_t dim = 0; dim < ndims; ++dim) {
        text += (dim ? ", " : "") + (static_cast<int64_t>(shape[dim]) < 0 ? "any" : std::to_string(shape[dim]));
    }
    return text + (ndims == 1 ? ",)" : ")");
}

// Fills shape and checks that the strides (in bytes) are those of a C-contiguous array. Lengths of 1 have no stride.
template <typename Length, typename Stride>
void set_shape(const Length* shape, const Stride* strides, size_t ndims, int64_t stride_unit, ch_tensor* out_tensor,
               const std::string& where) {
    if (ndims > CH_MAX_DIMS) {
        raise(CH_ARGUMENT_SHAPE, where,
              "wanted at most " + std::to_string(CH_MAX_DIMS) + " dimensions, found " + std::to_string(ndims));
    }
    out_tensor->ndims = static_cast<uint32_t>(ndims);
    uint64_t expected = ch_dtype_bytes(out_tensor->dtype);  // wraps only in an array that is empty, or not contiguous
    bool empty = false;
    bool contiguous = true;
    for (size_t dim = ndims; dim-- > 0;) {
        const auto length = static_cast<int64_t>(shape[dim]);
        if (length > UINT32_MAX) {
            raise(CH_ARGUMENT_SHAPE, where, "wanted lengths below 2^32, found " + shape_text(shape, ndims));
        }
        out_tensor->shape[dim] = static_cast<uint32_t>(length);
        empty = empty || length == 0;
        const int64_t stride = strides ? static_cast<int64_t>(strides[dim]) * stride_unit : 0;
        if (strides && length > 1 && static_cast<uint64_t>(stride) != expected) contiguous = false;
        expected *= static_cast<uint64_t>(length);
    }
    if (!contiguous && !empty) {
        raise(CH_ARGUMENT_LAYOUT, where, "the array of shape " + shape_text(shape, ndims) + " is not C-contiguous");
    }
}

void check_spec(const ch_tensor& tensor, const ArgSpec& spec, bool read_only, const std::string& where) {
    if (spec.dtype >= 0 && tensor.dtype != spec.dtype) {
        raise(CH_ARGUMENT_DTYPE, where,
              std::string("wanted dtype ") + dtype_name(spec.dtype) + ", found " + dtype_name(tensor.dtype));
    }
    if (!spec.any_shape) {
        bool fits = spec.shape.size() == tensor.ndims;
        for (uint32_t dim = 0; fits && dim < tensor.ndims; ++dim) {
            fits = spec.shape[dim] < 0 || spec.shape[dim] == static_cast<int64_t>(tensor.shape[dim]);
        }
        if (!fits) {
            raise(CH_ARGUMENT_SHAPE, where,
                  "wanted shape " + shape_text(spec.shape.data(), spec.shape.size()) + ", found " +
                      shape_text(tensor.shape, tensor.ndims));
        }
    }
    if (read_only && (spec.access == CH_OUT || spec.access == CH_INOUT)) {
        raise(CH_ARGUMENT_READ_ONLY, where, "the run writes this array, but it is read-only");
    }
}

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

Pins::~Pins() {
    for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
}

void Pins::abandon() {
    buffers_.clear();  // without releasing them
    for (nb::object& owner : owners_) owner.release();
    owners_.clear();
}

// False: the object has no buffer to give.
bool Pins::add_buffer(nb::handle array, ch_tensor* out_tensor, bool* out_read_only, const std::string& where) {
    Py_buffer& buffer = buffers_.emplace_back();
    if (PyObject_GetBuffer(array.ptr(), &buffer, PyBUF_FORMAT | PyBUF_STRIDES) != 0) {
        PyErr_Clear();
        buffers_.pop_back();
        return false;
    }
    const int dtype = dtype_of_format(buffer.format, buffer.itemsize);
    if (dtype < 0) {
        const std::string format = std::string("elements of format '") + (buffer.format ? buffer.format : "") + "'";
        const std::string name = own_dtype_name(array);
        // A name that is supported is that of another byte order, which the format tells.
        raise(CH_ARGUMENT_DTYPE, where,
              name.empty() || is_supported(name) ? format + " are not supported; supported are " + supported_dtypes
                                                 : unsupported(name) + "(it gives " + format + ")");
    }
    out_tensor->data = reinterpret_cast<uint64_t>(buffer.buf);
    out_tensor->dtype = static_cast<uint8_t>(dtype);
    *out_read_only = buffer.readonly != 0;
    set_shape(buffer.shape, buffer.strides, static_cast<size_t>(buffer.ndim), 1, out_tensor, where);
    return true;
}

void Pins::add_dlpack(nb::handle array, ch_tensor* out_tensor, bool* out_read_only, const std::string& where) {
    check_device(array, where);
    nb::ndarray<nb::ro> view;
    // A view for reading does not tell whether the array may be written; whether one for writing is given does.
    if (nb::ndarray<> writable; nb::try_cast(array, writable, false)) {
        view = nb::ndarray<nb::ro>(writable.handle());
    } else if (nb::try_cast(array, view, false)) {
        *out_read_only = true;
    } else {
        refuse_array(array, where);
    }
    if (view.device_type() != nb::device::cpu::value) {  // whatever __dlpack_device__ said
        raise(CH_INVALID_ARGUMENT, where, "wanted an array in host memory; copy it to the CPU first");
    }
    const int dtype = dtype_of_dlpack(view.dtype());
    if (dtype < 0) {
        raise(CH_ARGUMENT_DTYPE, where, unsupported(dlpack_dtype_text(view.dtype())));
    }
    out_tensor->data = reinterpret_cast<uint64_t>(view.data());
    out_tensor->dtype = static_cast<uint8_t>(dtype);
    set_shape(view.shape_ptr(), view.stride_ptr(), view.ndim(), ch_dtype_bytes(static_cast<uint32_t>(dtype)),
              out_tensor, where);
    owners_.push_back(nb::cast(view, nb::rv_policy::reference));
    owners_.push_back(nb::borrow(array));
}

ch_tensor Pins::add(nb::handle array, const ArgSpec& spec, const std::string& where) {
    ch_tensor tensor{};
    bool read_only = false;
    if (!add_buffer(array, &tensor, &read_only, where)) {
        int dtype = -1;
        const nb::object view = integer_view(array, &dtype);
        if (!view.is_none() && add_buffer(view, &tensor, &read_only, where)) {
            tensor.dtype = static_cast<uint8_t>(dtype);
        } else {
            add_dlpack(array, &tensor, &read_only, where);
        }
    }
    check_spec(tensor, spec, read_only, where);
    // Without a signature the run may write what it was given, unless that cannot be written.
    tensor.access = static_cast<uint8_t>(spec.access == CH_ACCESS_UNKNOWN && read_only ? CH_IN : spec.access);
    return tensor;
}

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

}  // namespace chiphost::bindings
