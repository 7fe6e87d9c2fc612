// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: the softmax of one block of each request before it is divided by its sum, for each head of a tile
//
//   m = max over t of scale * s[t],   p[t] = exp(scale * s[t] - m),   l = sum over t of p[t]
//
//   args[0]  s             float32 (requests, heads, block_size)
//   args[1]  context_lens  int32 (requests)
//   args[2]  p             float16 (requests, heads, block_size); 0 beyond the context
//   args[3]  m             float32 (requests, heads)
//   args[4]  l             float32 (requests, heads)
//   args[5]  first_token   int32_t: the number of the block's first token in its request
//   args[6]  scale         float
//
// All are contiguous. l sums the rounded p, so that weights and sum fit together. A request that ends before
// first_token gets m = -infinity, l = 0 and p = 0, with which an update changes nothing.
#include <chiphost/float16.h>
#include <chiphost/kernel.h>
#include <chiphost/math.h>

using chiphost::float16;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor& scores = chiphost::tensor_arg(args, 0);
    const uint32_t requests = scores.shape[0], heads = scores.shape[1];
    const int32_t block_size = static_cast<int32_t>(scores.shape[2]);
    const __gm__ float* __restrict s = chiphost::tensor_data<const float>(args, 0);
    const __gm__ int32_t* __restrict context_lens = chiphost::tensor_data<const int32_t>(args, 1);
    __gm__ float16* __restrict p = chiphost::tensor_data<float16>(args, 2);
    __gm__ float* __restrict m = chiphost::tensor_data<float>(args, 3);
    __gm__ float* __restrict l = chiphost::tensor_data<float>(args, 4);
    const int32_t first_token = chiphost::scalar_arg<int32_t>(args, 5);
    const float scale = chiphost::scalar_arg<float>(args, 6);

    for (uint32_t row = 0; row < requests * heads; ++row, s += block_size, p += block_size) {
        const int32_t left = context_lens[row / heads] - first_token;
        const int32_t tokens = left < block_size ? left : block_size;  // 0 or less: the request has no such block

        float max = -chiphost::infinity();
        for (int32_t t = 0; t < tokens; ++t) max = chiphost::max(max, scale * s[t]);

        float sum = 0;
        for (int32_t t = 0; t < tokens; ++t) {
            p[t] = static_cast<float16>(chiphost::exp(scale * s[t] - max));
            sum += static_cast<float>(p[t]);
        }
        for (int32_t t = tokens > 0 ? tokens : 0; t < block_size; ++t) p[t] = static_cast<float16>(0.0f);

        m[row] = max;
        l[row] = sum;
    }
}
