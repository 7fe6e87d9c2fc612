// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: the running softmax of a tile of heads before the first block: m = -infinity, l = 0, o = 0
//
//   args[0]  m  float32 (heads)
//   args[1]  l  float32 (heads)
//   args[2]  o  float32 (heads, head_dim)
//
// All are contiguous.
#include <chiphost/kernel.h>
#include <chiphost/math.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    __gm__ float* __restrict m = chiphost::tensor_data<float>(args, 0);
    __gm__ float* __restrict l = chiphost::tensor_data<float>(args, 1);
    __gm__ float* __restrict o = chiphost::tensor_data<float>(args, 2);
    const uint32_t heads = chiphost::tensor_arg(args, 2).shape[0], head_dim = chiphost::tensor_arg(args, 2).shape[1];

    for (uint32_t h = 0; h < heads; ++h) {
        m[h] = -chiphost::infinity();
        l[h] = 0;
    }
    for (uint32_t i = 0; i < heads * head_dim; ++i) o[i] = 0;
}
