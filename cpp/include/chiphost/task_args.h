// SPDX-License-Identifier: Apache-2.0
//
// The arguments of a run, as an orchestration sees them.
#pragma once

#include <stdint.h>
#include <string.h>

#include "abi/tensor.h"
#include "require.h"

namespace chiphost {

// A view of one C-contiguous array in host memory.
//
// Ownership: the caller of the run owns the array; the view is valid during the orchestration.
// Threads: any.
// Errors: none, unless a function says otherwise.
class Tensor {
public:
    // Wraps the record of a tensor.
    //
    // tensor: the record, to which it refers.
    explicit Tensor(const ch_tensor& tensor) : tensor_(&tensor) {}

    // Gives the elements.
    //
    // T: their type.
    // Errors: throws BadArgument if T has not the size of the dtype.
    template <typename T>
    T* data() const {
        require(sizeof(T) == ch_dtype_bytes(tensor_->dtype),
                "Tensor::data: the element type has %zu bytes, the tensor's dtype has %u", sizeof(T),
                ch_dtype_bytes(tensor_->dtype));
        return reinterpret_cast<T*>(tensor_->data);
    }
    // Gives the address of the first element.
    void* address() const { return reinterpret_cast<void*>(tensor_->data); }

    // Gives the number of dimensions; 0: it has one element.
    uint32_t ndims() const { return tensor_->ndims; }
    // Gives the length of a dimension in elements.
    //
    // dim: 0 for the outermost.
    // Errors: throws BadArgument if there is no such dimension.
    uint32_t shape(uint32_t dim) const {
        require(dim < tensor_->ndims, "Tensor::shape: dimension %u of a tensor with %u", dim, tensor_->ndims);
        return tensor_->shape[dim];
    }
    // Gives the number of elements.
    uint64_t elements() const { return ch_tensor_elements(tensor_); }
    // Gives the size of all elements.
    uint64_t bytes() const { return ch_tensor_bytes(tensor_); }
    // Gives the type of the elements.
    ch_dtype dtype() const { return static_cast<ch_dtype>(tensor_->dtype); }
    // Tells how the run may use it.
    ch_access access() const { return static_cast<ch_access>(tensor_->access); }

private:
    const ch_tensor* tensor_;
};

// The arguments of a run. Tensors and scalars are numbered apart, each in the order of the call.
//
// Ownership: the caller of the run owns them; they are valid during the orchestration.
// Threads: any.
// Errors: none, unless a function says otherwise.
class TaskArgs {
public:
    // Wraps what an orchestration is called with.
    //
    // args: the record, to which it refers.
    explicit TaskArgs(const ch_task_args& args) : args_(&args) {}

    // Gives the number of tensors.
    uint32_t tensor_count() const { return args_->tensor_count; }
    // Gives the number of scalars.
    uint32_t scalar_count() const { return args_->scalar_count; }

    // Gives a tensor.
    //
    // index: its number among the tensors.
    // Errors: throws BadArgument if there is none.
    Tensor tensor(uint32_t index) const {
        require(index < args_->tensor_count, "TaskArgs::tensor(%u): the run was given %u", index, args_->tensor_count);
        return Tensor(args_->tensors[index]);
    }

    // Gives a scalar: the low bytes of its 64-bit word.
    //
    // T: its type, of at most 8 bytes.
    // index: its number among the scalars.
    // Errors: throws BadArgument if there is none.
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
