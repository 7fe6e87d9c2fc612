// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: x = max(x + bias, 0) in each row, float32, contiguous. Block b of n does the rows b, b + n, b + 2n, ...
//
//   args[0]  x     (rows, columns)
//   args[1]  bias  (columns)
#include <chiphost/data_cache.h>
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    __gm__ float* __restrict x = chiphost::tensor_data<float>(args, 0);
    const __gm__ float* __restrict bias = chiphost::tensor_data<const float>(args, 1);
    const uint32_t rows = chiphost::tensor_arg(args, 0).shape[0], columns = chiphost::tensor_arg(args, 0).shape[1];
    const uint32_t block = chiphost::get_block_idx(args), blocks = chiphost::get_block_num(args);

    // A row begins anywhere in a cache line: a chip would not read and write it by its data cache.
    const chiphost::BlockCopy copies;
    for (uint32_t r = block; r < rows; r += blocks) {
        for (uint32_t i = 0; i < columns; ++i) {
            const float sum = x[r * columns + i] + bias[i];
            x[r * columns + i] = sum > 0 ? sum : 0;
        }
    }
}
