// SPDX-License-Identifier: Apache-2.0
//
// The arguments of both orchestrations of this scene, float32, tile first (a tile is contiguous):
//   a (batch, M, K, 64, 64), b (batch, K, N, 64, 64), c (batch, M, N, 64, 64); c is read and written
#pragma once

#include <chiphost/device_graph.h>

constexpr uint32_t kTile = 64;  // as in the kernels

inline bool is_tiled(const chiphost::DeviceTensor& tensor) {
    return tensor.dtype() == CH_FLOAT32 && tensor.ndims() == 5 && tensor.shape(3) == kTile && tensor.shape(4) == kTile;
}

inline void check_arguments(const chiphost::DeviceTensor& a, const chiphost::DeviceTensor& b,
                            const chiphost::DeviceTensor& c) {
    using chiphost::require;
    require(is_tiled(a) && is_tiled(b) && is_tiled(c), "a, b and c must be float32 of shape (batch, ., ., 64, 64)");
    require(a.shape(0) == c.shape(0) && b.shape(0) == c.shape(0), "a, b and c must have the same batch");
    require(a.shape(1) == c.shape(1), "a must have as many tile rows as c");
    require(b.shape(1) == a.shape(2), "b must have as many tile rows as a has tile columns");
    require(b.shape(2) == c.shape(2), "b must have as many tile columns as c");
}

inline chiphost::DeviceTensor tile(const chiphost::DeviceTensor& tensor, uint32_t matrix, uint32_t row,
                                   uint32_t column) {
    return tensor.view({1, 1, 1, kTile, kTile}, {matrix, row, column, 0, 0});
}
