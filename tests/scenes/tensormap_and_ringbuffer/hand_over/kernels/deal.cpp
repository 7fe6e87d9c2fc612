// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel of a MIX task: out = f(x) - g(x) by tiles, where f is what AIV0 makes of a tile and g what AIV1 makes of
// it
//
//   args[0]  x    float32 (tiles, elements), contiguous; at most kMaxTile elements
//   args[1]  out  of the same shape, contiguous, does not overlap x
//
// Block b of n deals the tiles b, b + n, b + 2n, ... The AICs of other blocks do the same on other clusters.
#include <chiphost/data_cache.h>
#include <chiphost/hand_over.h>
#include <chiphost/kernel.h>

#include "../tile.h"

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor& tensor = chiphost::tensor_arg(args, 0);
    const uint32_t tiles = tensor.shape[0], elements = tensor.shape[1], bytes = elements * sizeof(float);
    const __gm__ float* x = chiphost::tensor_data<const float>(args, 0);
    __gm__ float* out = chiphost::tensor_data<float>(args, 1);
    const uint32_t block = chiphost::get_block_idx(args), blocks = chiphost::get_block_num(args);

    // A row begins anywhere in a cache line: a chip would not read and write it by its data cache.
    const chiphost::BlockCopy copies;
    const auto push = [&](uint32_t tile) {
        for (uint32_t aiv = 0; aiv < 2; ++aiv) chiphost::push_to_aiv(args, aiv, x + uint64_t{tile} * elements, bytes);
    };
    const auto pop = [&](uint32_t tile) {
        __gm__ float* difference = out + uint64_t{tile} * elements;
        float g[kMaxTile];
        chiphost::pop_from_aiv(args, 0, difference, bytes);
        chiphost::pop_from_aiv(args, 1, g, bytes);
        for (uint32_t i = 0; i < elements; ++i) difference[i] -= g[i];
    };

    uint32_t next_pop = block;
    uint32_t pushed = 0;
    for (uint32_t tile = block; tile < tiles; tile += blocks) {
        push(tile);
        if (++pushed < kAhead) continue;
        pop(next_pop);
        next_pop += blocks;
    }
    for (; next_pop < tiles; next_pop += blocks) pop(next_pop);
}
