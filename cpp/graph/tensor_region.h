// SPDX-License-Identifier: Apache-2.0
//
// The elements of a buffer that a view covers; whether two views meet.
#pragma once

#include <stdint.h>

#include "chiphost/abi/device_tensor.h"

namespace chiphost::graph {

// The elements of a view, in a form that compares quickly: a box in the array that the view was taken of, and the bytes
// from its first to its last element.
struct TensorRegion {
    uint64_t first_byte;              // device address
    uint64_t end_byte;                // one past the last byte; equal to first_byte: the view has no elements
    uint64_t array;                   // device address of the array's first element
    uint32_t raw_shape[CH_MAX_DIMS];  // of the array
    uint32_t offset[CH_MAX_DIMS];     // the box, by dimension of the array
    uint32_t extent[CH_MAX_DIMS];
    uint8_t ndims;
    uint8_t dtype;
    bool contiguous;  // the view has every byte from first_byte to end_byte
};

// True if the tensor is what it should be: a box in a row-major array of fewer than 2^32 elements. Where the array lies
// is not looked at.
bool is_box(const ch_device_tensor& tensor);

// Returns the region of a tensor that is_box.
TensorRegion region_of(const ch_device_tensor& tensor);

// True if some byte belongs to both. This is exact for views of the same array, and if one of the views is contiguous.
// For other pairs, such as a box in an array and a box in the array reshaped, it is true as soon as the bytes from
// first to last meet: an edge too many costs time, one too few the result.
bool overlaps(const TensorRegion& a, const TensorRegion& b);

// True if every byte of `part` certainly belongs to `whole`.
bool covers(const TensorRegion& whole, const TensorRegion& part);

}  // namespace chiphost::graph
