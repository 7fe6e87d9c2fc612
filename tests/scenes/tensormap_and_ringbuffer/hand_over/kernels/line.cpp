// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel of a MIX task, on AIV0: takes tiles from the AIC and hands back 3 * x + 1 of each element
//
//   args[0]  x    float32 (tiles, elements): for the number and size of the tiles; at most kMaxTile elements
//   args[1]  out  for the matrix core
//
// Block b of n gets as many tiles as there are in b, b + n, b + 2n, ...
#include <chiphost/hand_over.h>
#include <chiphost/kernel.h>

#include "../tile.h"

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor& tensor = chiphost::tensor_arg(args, 0);
    const uint32_t tiles = tensor.shape[0], elements = tensor.shape[1], bytes = elements * sizeof(float);
    const uint32_t block = chiphost::get_block_idx(args), blocks = chiphost::get_block_num(args);

    float tile[kMaxTile];
    for (uint32_t number = block; number < tiles; number += blocks) {
        chiphost::pop_from_aic(args, tile, bytes);
        for (uint32_t i = 0; i < elements; ++i) tile[i] = 3 * tile[i] + 1;
        chiphost::push_to_aic(args, tile, bytes);
    }
}
