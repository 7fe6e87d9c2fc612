// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: the running softmax of a tile of heads of several requests before the first block
//
//   m = -infinity, l = 0, o = 0
//
//   args[0]  m  float32 (requests, heads)
//   args[1]  l  float32 (requests, heads)
//   args[2]  o  float32 (requests, heads, head_dim)
//
// All are contiguous.
#include <chiphost/kernel.h>
#include <chiphost/math.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    __gm__ float* __restrict m = chiphost::tensor_data<float>(args, 0);
    __gm__ float* __restrict l = chiphost::tensor_data<float>(args, 1);
    __gm__ float* __restrict o = chiphost::tensor_data<float>(args, 2);
    const __gm__ ch_device_tensor& output = chiphost::tensor_arg(args, 2);
    const uint32_t rows = output.shape[0] * output.shape[1], head_dim = output.shape[2];

    for (uint32_t row = 0; row < rows; ++row) {
        m[row] = -chiphost::infinity();
        l[row] = 0;
    }
    for (uint32_t i = 0; i < rows * head_dim; ++i) o[i] = 0;
}
