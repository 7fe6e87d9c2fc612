// SPDX-License-Identifier: Apache-2.0
//
// For sources that were written for simpler: a tensor in device memory. Kernels find it at args[i] and use
// `buffer.addr`, `start_offset` and `shapes`; orchestrations make views of it.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <string>

#include "chiphost/abi/device_tensor.h"
#include "chiphost/device_tensor.h"
#include "data_type.h"

constexpr int RUNTIME_MAX_TENSOR_DIMS = CH_MAX_DIMS;

// A ch_device_tensor under the names of simpler: the same memory, field by field.
struct Tensor {
    struct {
        uint64_t addr;  // address of the view's first element; start_offset, which is added to it, is 0
    } buffer{};
    uint64_t memory = 0;  // address of the buffer
    uint64_t memory_bytes = 0;
    int64_t owner = 0;
    uint32_t shapes[CH_MAX_DIMS]{};
    uint32_t strides[CH_MAX_DIMS]{};
    uint32_t raw_shapes[CH_MAX_DIMS]{};
    uint32_t offsets[CH_MAX_DIMS]{};
    uint8_t raw_dims[CH_MAX_DIMS]{};
    uint8_t ndims = 0;
    DataType dtype = DataType::FLOAT32;
    uint8_t flags = 0;
    uint32_t number = 0;
    uint32_t start_offset = 0;  // elements

    Tensor() = default;
    explicit Tensor(const ch_device_tensor& tensor) { memcpy(static_cast<void*>(this), &tensor, sizeof tensor); }
    const ch_device_tensor& raw() const { return *reinterpret_cast<const ch_device_tensor*>(this); }

    // A box of the tensor: `shape` elements from `offset` on, with ndims entries each. A box that does not lie in the
    // tensor throws chiphost::BadArgument. The parameter decides whether edges are inferred, not the tensor.
    Tensor view(const uint32_t shape[], const uint32_t offset[], bool manual_dep = false) const {
        return Tensor(chiphost::DeviceTensor(raw()).view(shape, ndims, offset, ndims).manual_dep(manual_dep).raw());
    }
    Tensor reshape(const uint32_t shape[], uint32_t count, bool manual_dep = false) const {
        return Tensor(chiphost::DeviceTensor(raw()).reshape(shape, count).manual_dep(manual_dep).raw());
    }
    Tensor transpose(uint32_t first, uint32_t second, bool manual_dep = false) const {
        return Tensor(chiphost::DeviceTensor(raw()).transpose(first, second).manual_dep(manual_dep).raw());
    }
    uint64_t numel() const { return ch_shape_elements(shapes, ndims); }
    bool is_contiguous() const { return chiphost::DeviceTensor(raw()).contiguous(); }

    // A text for people to read.
    std::string dump() const {
        char text[160];
        int length = snprintf(text, sizeof text, "Tensor at 0x%llx, dtype %u, shape [",
                              static_cast<unsigned long long>(buffer.addr), static_cast<unsigned>(dtype));
        for (uint32_t dim = 0; dim < ndims; ++dim) {
            length +=
                snprintf(text + length, sizeof text - static_cast<size_t>(length), dim ? ", %u" : "%u", shapes[dim]);
        }
        return std::string(text) + "]";
    }
};
static_assert(sizeof(Tensor) == sizeof(ch_device_tensor) &&
                  offsetof(Tensor, shapes) == offsetof(ch_device_tensor, shape) &&
                  offsetof(Tensor, ndims) == offsetof(ch_device_tensor, ndims) &&
                  offsetof(Tensor, number) == offsetof(ch_device_tensor, number) &&
                  offsetof(Tensor, start_offset) == offsetof(ch_device_tensor, reserved),
              "a Tensor is a ch_device_tensor");

// A tensor that a task makes.
class TensorCreateInfo {
public:
    TensorCreateInfo(const uint32_t shapes[], uint32_t ndims, DataType dtype = DataType::FLOAT32,
                     bool manual_dep = false)
        : spec_(chiphost::TensorSpec(static_cast<ch_dtype>(dtype), shapes, ndims).raw()) {
        if (manual_dep) spec_.flags |= CH_TENSOR_MANUAL_DEP;
    }
    // Every element starts with the low bytes of the value's bits.
    template <typename T>
    void set_initial_value(T value) {
        spec_.has_initial = 1;
        spec_.initial = to_u64(value);
    }
    const ch_tensor_spec& raw() const { return spec_; }

private:
    ch_tensor_spec spec_;
};
