// SPDX-License-Identifier: Apache-2.0
//
// A tensor in device memory: a view of a buffer, as orchestrations on the AICPU and kernels see it. C++ users include
// chiphost/device_tensor.h, which wraps this.
#pragma once

#include <stdint.h>

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bits of ch_device_tensor::flags and ch_tensor_spec::flags.
enum ch_device_tensor_flags {
    CH_TENSOR_MANUAL_DEP = 1,  // no edges are inferred for it but the one to the task that made its buffer
    CH_TENSOR_READ_ONLY = 2,   // an input of the run: what is written there goes nowhere, so writing is refused
};

// A view of a buffer: a box in an array of raw_shape, with its dimensions in any order. Dimension i of the view runs
// along dimension raw_dim[i] of the array. Lengths and strides are in elements, outermost first; entries from ndims on
// are 0. Where a length of the array is 0, strides mean nothing.
//
// Ownership: a plain value; the buffer belongs to the run, or to the scope in which it was made.
typedef struct ch_device_tensor {
    uint64_t address;  // device address of the view's first element
    uint64_t buffer;   // device address of the buffer: what tells tensors of different buffers apart; 0: never made
    uint64_t buffer_bytes;            // size of the buffer
    int64_t owner;                    // id of the task that made the buffer, -1: an argument of the run
    uint32_t shape[CH_MAX_DIMS];      // of the view
    uint32_t stride[CH_MAX_DIMS];     // of the view
    uint32_t raw_shape[CH_MAX_DIMS];  // of the array
    uint32_t offset[CH_MAX_DIMS];     // where the view begins, by dimension of the array
    uint8_t raw_dim[CH_MAX_DIMS];     // along which dimension of the array one of the view runs
    uint8_t ndims;                    // 0 (one element) to CH_MAX_DIMS
    uint8_t dtype;                    // ch_dtype
    uint8_t flags;                    // ch_device_tensor_flags
    // The number of the run's argument, or of the task's new tensor, that the buffer is; a wrong one costs time.
    uint32_t number;
    uint32_t reserved;  // 0 in every tensor that an orchestration or a kernel is given, whatever was submitted
} ch_device_tensor;

// A tensor to be made: row-major.
typedef struct ch_tensor_spec {
    uint32_t shape[CH_MAX_DIMS];  // elements, outermost first
    uint32_t ndims;               // 0 (one element) to CH_MAX_DIMS
    uint8_t dtype;                // ch_dtype
    uint8_t flags;                // ch_device_tensor_flags
    uint8_t has_initial;          // 1: every element starts as `initial`; otherwise the content is undefined
    uint8_t reserved;             // 0
    uint64_t initial;             // the element's bits
} ch_tensor_spec;

// Makes a tensor the whole of a row-major array. Its address, buffer, owner, dtype and flags stay.
//
// tensor: what is changed.
// shape: lengths of the dimensions, in elements; `ndims` of them, borrowed for the call.
// ndims: at most CH_MAX_DIMS.
// Threads: any; nothing but *tensor is changed.
// Errors: none.
static inline void ch_set_row_major(ch_device_tensor* tensor, const uint32_t* shape, uint32_t ndims) {
    tensor->ndims = (uint8_t)ndims;
    uint32_t stride = 1;
    for (uint32_t dim = CH_MAX_DIMS; dim-- > 0;) {
        const uint32_t length = dim < ndims ? shape[dim] : 0;
        tensor->shape[dim] = tensor->raw_shape[dim] = length;
        tensor->stride[dim] = dim < ndims ? stride : 0;
        tensor->raw_dim[dim] = dim < ndims ? (uint8_t)dim : 0;
        tensor->offset[dim] = 0;
        if (dim < ndims) stride *= length;
    }
}

#ifdef __cplusplus
}
static_assert(sizeof(ch_device_tensor) == 128, "ch_device_tensor is a device format");
#endif
