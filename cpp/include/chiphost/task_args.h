// SPDX-License-Identifier: Apache-2.0
//
// The arguments of a run, as an orchestration sees them.
#pragma once

#include <stdint.h>
#include <string.h>

#include "abi/tensor.h"
#include "require.h"

namespace chiphost {

// One C-contiguous array in host memory. A view: the caller of the run owns the array.
class Tensor {
public:
    explicit Tensor(const ch_tensor& tensor) : tensor_(&tensor) {}

    // Elements as T. Throws BadArgument if T has not the size of the dtype.
    template <typename T>
    T* data() const {
        require(sizeof(T) == ch_dtype_bytes(tensor_->dtype),
                "Tensor::data: the element type has %zu bytes, the tensor's dtype has %u", sizeof(T),
                ch_dtype_bytes(tensor_->dtype));
        return reinterpret_cast<T*>(tensor_->data);
    }
    void* address() const { return reinterpret_cast<void*>(tensor_->data); }

    uint32_t ndims() const { return tensor_->ndims; }
    // Length of a dimension, outermost first.
    uint32_t shape(uint32_t dim) const {
        require(dim < tensor_->ndims, "Tensor::shape: dimension %u of a tensor with %u", dim, tensor_->ndims);
        return tensor_->shape[dim];
    }
    uint64_t elements() const { return ch_tensor_elements(tensor_); }
    uint64_t bytes() const { return ch_tensor_bytes(tensor_); }
    ch_dtype dtype() const { return static_cast<ch_dtype>(tensor_->dtype); }
    ch_access access() const { return static_cast<ch_access>(tensor_->access); }

private:
    const ch_tensor* tensor_;
};

// Tensors and scalars are numbered apart, each in the order of the call. Valid during the orchestration. An index that
// is out of range throws BadArgument.
class TaskArgs {
public:
    explicit TaskArgs(const ch_task_args& args) : args_(&args) {}

    uint32_t tensor_count() const { return args_->tensor_count; }
    uint32_t scalar_count() const { return args_->scalar_count; }

    Tensor tensor(uint32_t index) const {
        require(index < args_->tensor_count, "TaskArgs::tensor(%u): the run was given %u", index, args_->tensor_count);
        return Tensor(args_->tensors[index]);
    }

    // Scalar as T: the low bytes of its 64-bit word.
    template <typename T = uint64_t>
    T scalar(uint32_t index) const {
        static_assert(__is_trivially_copyable(T) && sizeof(T) <= 8, "a scalar has at most 8 bytes");
        require(index < args_->scalar_count, "TaskArgs::scalar(%u): the run was given %u", index, args_->scalar_count);
        T value;
        memcpy(&value, &args_->scalars[index], sizeof(T));
        return value;
    }

private:
    const ch_task_args* args_;
};

}  // namespace chiphost
