// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: out = x, float32
//
//   args[0]  x    (1, rows, columns): a view
//   args[1]  out  (rows, columns): a view, does not overlap x
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor &from = chiphost::tensor_arg(args, 0), &to = chiphost::tensor_arg(args, 1);
    const __gm__ float* __restrict x = chiphost::tensor_data<const float>(args, 0);
    __gm__ float* __restrict out = chiphost::tensor_data<float>(args, 1);

    for (uint32_t r = 0; r < to.shape[0]; ++r) {
        for (uint32_t i = 0; i < to.shape[1]; ++i) {
            out[uint64_t{r} * to.stride[0] + i] = x[uint64_t{r} * from.stride[1] + i];
        }
    }
}
