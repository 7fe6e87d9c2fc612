// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: out = factor * x - corner, float32. Block b of n does the rows b, b + n, b + 2n, ...
//
//   args[0]  x       (rows, columns): a view
//   args[1]  corner  (1)
//   args[2]  out     (1, 1, rows, columns): a view, does not overlap x
//   args[3]  factor  float
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor &from = chiphost::tensor_arg(args, 0), &to = chiphost::tensor_arg(args, 2);
    const __gm__ float* __restrict x = chiphost::tensor_data<const float>(args, 0);
    const float corner = *chiphost::tensor_data<const float>(args, 1);
    __gm__ float* __restrict out = chiphost::tensor_data<float>(args, 2);
    const float factor = chiphost::scalar_arg<float>(args, 3);
    const uint32_t block = chiphost::get_block_idx(args), blocks = chiphost::get_block_num(args);

    for (uint32_t r = block; r < from.shape[0]; r += blocks) {
        for (uint32_t i = 0; i < from.shape[1]; ++i) {
            out[uint64_t{r} * to.stride[2] + i] = factor * x[uint64_t{r} * from.stride[0] + i] - corner;
        }
    }
}
