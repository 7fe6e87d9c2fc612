// SPDX-License-Identifier: Apache-2.0
#include "array.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include "dtype.h"
#include "raise.h"

namespace nb = nanobind;

namespace chiphost::bindings {

namespace {

// "BufferError: what it says", for messages.
std::string words_of(const nb::python_error& error) {
    const nb::handle value = error.value();
    return type_of(value) + ": " + nb::cast<std::string>(nb::str(value));
}

// Called before an array is asked for its memory: an array of another device may have to be copied for that, or
// refuses.
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
        // If the name is supported, only the byte order is not, which the format tells.
        raise(CH_ARGUMENT_DTYPE, where,
              name.empty() || is_supported(name) ? format + " are not supported; supported are " + supported_dtypes()
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

}  // namespace chiphost::bindings
