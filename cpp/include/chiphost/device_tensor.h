// SPDX-License-Identifier: Apache-2.0
//
// Tensors in device memory for C++: views without a copy, for orchestrations and kernels.
#pragma once

#include <stdint.h>
#include <string.h>

#include <initializer_list>

#include "abi/device_tensor.h"
#include "require.h"

namespace chiphost {

// A value of 128 bytes that refers to device memory. Making a view costs nothing on the device.
//
// Ownership: the memory belongs to the run, or to the scope in which it was made; the value keeps nothing alive.
// Threads: any.
// Errors: none, unless a function says otherwise.
class DeviceTensor {
public:
    // Refers to nothing: it may be assigned to, and asked whether it was made.
    DeviceTensor() = default;
    // Wraps a record.
    //
    // raw: copied.
    explicit DeviceTensor(const ch_device_tensor& raw) : raw_(raw) {}

    // Gives the record. It lives as long as this value.
    const ch_device_tensor& raw() const { return raw_; }
    // Tells that it refers to memory.
    bool made() const { return raw_.buffer != 0; }
    // Gives the number of dimensions; 0: it has one element.
    uint32_t ndims() const { return raw_.ndims; }
    // Gives the length of a dimension in elements.
    //
    // dim: 0 for the outermost.
    // Errors: throws BadArgument if there is no such dimension.
    uint32_t shape(uint32_t dim) const {
        require(dim < raw_.ndims, "DeviceTensor::shape: dimension %u of a tensor with %u", dim, raw_.ndims);
        return raw_.shape[dim];
    }
    // Gives the type of the elements.
    ch_dtype dtype() const { return static_cast<ch_dtype>(raw_.dtype); }
    // Gives the device address of the first element.
    uint64_t address() const { return raw_.address; }
    // Gives the number of elements.
    uint64_t elements() const { return ch_shape_elements(raw_.shape, raw_.ndims); }
    // Gives the size of all elements.
    uint64_t bytes() const { return ch_shape_bytes(raw_.shape, raw_.ndims, raw_.dtype); }

    // Tells that the elements follow each other without gaps. So do no elements.
    bool contiguous() const {
        if (elements() == 0) return true;
        uint64_t expected = 1;
        for (uint32_t dim = raw_.ndims; dim-- > 0;) {
            if (raw_.shape[dim] != 1 && raw_.stride[dim] != expected) return false;
            expected *= raw_.shape[dim];
        }
        return true;
    }

    // Gives a box of the tensor.
    //
    // shape: lengths of the box in elements, one for every dimension.
    // offset: where it begins, one for every dimension.
    // shape_count: entries of `shape`.
    // offset_count: entries of `offset`.
    // Errors: throws BadArgument if the box does not lie in the tensor, or the tensor was never made.
    DeviceTensor view(std::initializer_list<uint32_t> shape, std::initializer_list<uint32_t> offset) const {
        return view(shape.begin(), shape.size(), offset.begin(), offset.size());
    }
    DeviceTensor view(const uint32_t* shape, size_t shape_count, const uint32_t* offset, size_t offset_count) const {
        require_made("view");
        require(shape_count == raw_.ndims && offset_count == raw_.ndims,
                "DeviceTensor::view: wanted %u lengths and offsets, found %zu and %zu", raw_.ndims, shape_count,
                offset_count);
        DeviceTensor result = *this;
        uint64_t skipped = 0;
        for (uint32_t dim = 0; dim < raw_.ndims; ++dim) {
            require(offset[dim] <= raw_.shape[dim] && shape[dim] <= raw_.shape[dim] - offset[dim],
                    "DeviceTensor::view: dimension %u has %u elements, wanted %u from %u on", dim, raw_.shape[dim],
                    shape[dim], offset[dim]);
            result.raw_.shape[dim] = shape[dim];
            result.raw_.offset[raw_.raw_dim[dim]] += offset[dim];
            skipped += uint64_t{offset[dim]} * raw_.stride[dim];
        }
        // A view without elements begins nowhere: what is skipped for it may lie outside of the buffer.
        if (result.elements() != 0) result.raw_.address += skipped * ch_dtype_bytes(raw_.dtype);
        return result;
    }

    // Gives the same elements with other lengths.
    //
    // shape: the lengths in elements, outermost first.
    // count: entries of `shape`, at most CH_MAX_DIMS.
    // Errors: throws BadArgument if the tensor is not contiguous, has another number of elements, or was never made.
    DeviceTensor reshape(std::initializer_list<uint32_t> shape) const { return reshape(shape.begin(), shape.size()); }
    DeviceTensor reshape(const uint32_t* shape, size_t count) const {
        require_made("reshape");
        require(contiguous(), "DeviceTensor::reshape: the tensor is not contiguous");
        require(count <= CH_MAX_DIMS, "DeviceTensor::reshape: wanted at most %d dimensions, found %zu", CH_MAX_DIMS,
                count);
        const uint64_t wanted = ch_shape_elements(shape, static_cast<uint32_t>(count));
        require(wanted == elements(), "DeviceTensor::reshape: the tensor has %llu elements, the shape %llu",
                static_cast<unsigned long long>(elements()), static_cast<unsigned long long>(wanted));
        return row_major(raw_, shape, static_cast<uint32_t>(count));
    }

    // Gives the same elements with two dimensions exchanged.
    //
    // first: number of a dimension.
    // second: number of another.
    // Errors: throws BadArgument if there is no such dimension, or the tensor was never made.
    DeviceTensor transpose(uint32_t first, uint32_t second) const {
        require_made("transpose");
        require(first < raw_.ndims && second < raw_.ndims, "DeviceTensor::transpose: dimensions %u and %u of %u", first,
                second, raw_.ndims);
        DeviceTensor result = *this;
        const auto exchange = [&](auto* values) {
            const auto value = values[first];
            values[first] = values[second];
            values[second] = value;
        };
        exchange(result.raw_.shape);
        exchange(result.raw_.stride);
        exchange(result.raw_.raw_dim);
        return result;
    }

    // Gives the tensor with or without edges inferred for it.
    //
    // on: true: without.
    DeviceTensor manual_dep(bool on = true) const {
        DeviceTensor result = *this;
        result.raw_.flags =
            static_cast<uint8_t>(on ? raw_.flags | CH_TENSOR_MANUAL_DEP : raw_.flags & ~CH_TENSOR_MANUAL_DEP);
        return result;
    }

    // Makes a row-major tensor.
    //
    // where: its address, dtype and buffer; the shape there does not matter.
    // shape: its lengths in elements, outermost first; `ndims` of them, at most CH_MAX_DIMS.
    static DeviceTensor row_major(const ch_device_tensor& where, const uint32_t* shape, uint32_t ndims) {
        DeviceTensor result;
        ch_device_tensor& raw = result.raw_;
        raw.address = where.address;
        raw.buffer = where.buffer;
        raw.buffer_bytes = where.buffer_bytes;
        raw.owner = where.owner;
        raw.dtype = where.dtype;
        raw.flags = where.flags;
        raw.number = where.number;
        ch_set_row_major(&raw, shape, ndims);
        return result;
    }

private:
    void require_made(const char* what) const {
        require(made(), "DeviceTensor::%s: the tensor was never made: no task and no argument of the run gave it",
                what);
    }

    ch_device_tensor raw_{};
};

// A tensor to be made: row-major.
//
// Threads: any.
// Errors: none, unless a function says otherwise.
class TensorSpec {
public:
    // Describes a tensor whose elements start undefined.
    //
    // dtype: the type of the elements.
    // shape: the lengths in elements, outermost first.
    // ndims: entries of `shape`.
    // Errors: throws BadArgument for more than CH_MAX_DIMS dimensions.
    TensorSpec(ch_dtype dtype, std::initializer_list<uint32_t> shape)
        : TensorSpec(dtype, shape.begin(), shape.size()) {}
    TensorSpec(ch_dtype dtype, const uint32_t* shape, size_t ndims) {
        require(ndims <= CH_MAX_DIMS, "TensorSpec: wanted at most %d dimensions, found %zu", CH_MAX_DIMS, ndims);
        raw_.dtype = static_cast<uint8_t>(dtype);
        raw_.ndims = static_cast<uint32_t>(ndims);
        for (size_t dim = 0; dim < ndims; ++dim) raw_.shape[dim] = shape[dim];
    }

    // Lets every element start as a value.
    //
    // T: a type with the size of the dtype.
    // value: the element.
    // Errors: throws BadArgument if T has another size.
    template <typename T>
    TensorSpec& initial(T value) {
        require(sizeof(T) == ch_dtype_bytes(raw_.dtype), "TensorSpec::initial: the value has %zu bytes, the dtype %u",
                sizeof(T), ch_dtype_bytes(raw_.dtype));
        raw_.has_initial = 1;
        raw_.initial = 0;
        memcpy(&raw_.initial, &value, sizeof(T));  // little-endian
        return *this;
    }

    // Lets no edges be inferred for the tensor, but the one to the task that makes it.
    TensorSpec& manual_dep() {
        raw_.flags |= CH_TENSOR_MANUAL_DEP;
        return *this;
    }

    // Gives the record. It lives as long as this object.
    const ch_tensor_spec& raw() const { return raw_; }

private:
    ch_tensor_spec raw_{};
};

// Describes a new tensor with the shape and dtype of another.
//
// tensor: the other.
// Threads: any.
// Errors: throws BadArgument if the tensor was never made.
inline TensorSpec like(const DeviceTensor& tensor) {
    require(tensor.made(), "like: the tensor was never made");
    return TensorSpec(tensor.dtype(), tensor.raw().shape, tensor.ndims());
}

}  // namespace chiphost
