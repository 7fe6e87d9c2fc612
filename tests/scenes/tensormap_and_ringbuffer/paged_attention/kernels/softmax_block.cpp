// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: the softmax of one block before it is divided by its sum, for each head of a tile
//
//   m = max over t of scale * s[t],   p[t] = exp(scale * s[t] - m),   l = sum over t of p[t]
//
//   args[0]  s      float32 (heads, tokens): the part of the block that belongs to the context, 1 token or more
//   args[1]  p      float16 (heads, block_size), contiguous; 0 beyond the context
//   args[2]  m      float32 (heads), contiguous
//   args[3]  l      float32 (heads), contiguous
//   args[4]  scale  float
//
// l sums the rounded p, so that weights and sum fit together.
#include <chiphost/float16.h>
#include <chiphost/kernel.h>
#include <chiphost/math.h>

using chiphost::float16;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor& scores = chiphost::tensor_arg(args, 0);
    const uint32_t heads = scores.shape[0], tokens = scores.shape[1], score_stride = scores.stride[0];
    const uint32_t block_size = chiphost::tensor_arg(args, 1).shape[1];
    const __gm__ float* __restrict s = chiphost::tensor_data<const float>(args, 0);
    __gm__ float16* __restrict p = chiphost::tensor_data<float16>(args, 1);
    __gm__ float* __restrict m = chiphost::tensor_data<float>(args, 2);
    __gm__ float* __restrict l = chiphost::tensor_data<float>(args, 3);
    const float scale = chiphost::scalar_arg<float>(args, 4);

    for (uint32_t h = 0; h < heads; ++h, s += score_stride, p += block_size) {
        float max = scale * s[0];
        for (uint32_t t = 1; t < tokens; ++t) max = chiphost::max(max, scale * s[t]);

        float sum = 0;
        for (uint32_t t = 0; t < tokens; ++t) {
            p[t] = static_cast<float16>(chiphost::exp(scale * s[t] - max));
            sum += static_cast<float>(p[t]);
        }
        for (uint32_t t = tokens; t < block_size; ++t) p[t] = static_cast<float16>(0.0f);

        m[h] = max;
        l[h] = sum;
    }
}
