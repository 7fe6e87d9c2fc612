// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: the softmax of one block before it is divided by its sum, for each head of a tile
//
//   m = max over t of scale * s[t],   p[t] = exp(scale * s[t] - m),   l = sum over t of p[t]
//
//   args[0]  s           const float[heads][block_size]
//   args[1]  p           float16[heads][block_size]; 0 beyond the context
//   args[2]  m           float[heads]
//   args[3]  l           float[heads]
//   args[4]  heads       int32_t
//   args[5]  block_size  int32_t
//   args[6]  tokens      int32_t: those of the block that belong to the context, 1 to block_size
//   args[7]  scale       float
//
// l sums the rounded p, so that weights and sum fit together.
#include <chiphost/float16.h>
#include <chiphost/kernel.h>
#include <chiphost/math.h>

using chiphost::float16;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict s = chiphost::pointer_arg<const float>(args, 0);
    __gm__ float16* __restrict p = chiphost::pointer_arg<float16>(args, 1);
    __gm__ float* __restrict m = chiphost::pointer_arg<float>(args, 2);
    __gm__ float* __restrict l = chiphost::pointer_arg<float>(args, 3);
    const int32_t heads = chiphost::scalar_arg<int32_t>(args, 4);
    const int32_t block_size = chiphost::scalar_arg<int32_t>(args, 5);
    const int32_t tokens = chiphost::scalar_arg<int32_t>(args, 6);
    const float scale = chiphost::scalar_arg<float>(args, 7);

    for (int32_t h = 0; h < heads; ++h, s += block_size, p += block_size) {
        float max = scale * s[0];
        for (int32_t t = 1; t < tokens; ++t) max = scale * s[t] > max ? scale * s[t] : max;

        float sum = 0;
        for (int32_t t = 0; t < tokens; ++t) {
            p[t] = static_cast<float16>(chiphost::exp(scale * s[t] - max));
            sum += static_cast<float>(p[t]);
        }
        for (int32_t t = tokens; t < block_size; ++t) p[t] = static_cast<float16>(0.0f);

        m[h] = max;
        l[h] = sum;
    }
}
