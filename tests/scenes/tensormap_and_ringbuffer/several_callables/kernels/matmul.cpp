// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel: out = a @ b, float32, all contiguous. Block b of n does the rows b, b + n, b + 2n, ... of out.
//
//   args[0]  a    (rows, inner)
//   args[1]  b    (inner, columns)
//   args[2]  out  (rows, columns), does not overlap a or b
#include <chiphost/data_cache.h>
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict a = chiphost::tensor_data<const float>(args, 0);
    const __gm__ float* __restrict b = chiphost::tensor_data<const float>(args, 1);
    __gm__ float* __restrict out = chiphost::tensor_data<float>(args, 2);
    const uint32_t rows = chiphost::tensor_arg(args, 0).shape[0], inner = chiphost::tensor_arg(args, 0).shape[1];
    const uint32_t columns = chiphost::tensor_arg(args, 1).shape[1];
    const uint32_t block = chiphost::get_block_idx(args), blocks = chiphost::get_block_num(args);

    // A row begins anywhere in a cache line: a chip would not read and write it by its data cache.
    const chiphost::BlockCopy copies;
    for (uint32_t r = block; r < rows; r += blocks) {
        for (uint32_t i = 0; i < columns; ++i) out[r * columns + i] = 0;
        for (uint32_t k = 0; k < inner; ++k) {
            for (uint32_t i = 0; i < columns; ++i) out[r * columns + i] += a[r * inner + k] * b[k * columns + i];
        }
    }
}
