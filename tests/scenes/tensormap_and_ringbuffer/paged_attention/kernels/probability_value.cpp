// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel: o = p @ v, the weighted sum of one block's values for each head of a tile, float16 in, sums in float32
//
//   args[0]  p  float16 (heads, block_size), contiguous
//   args[1]  v  float16 (1, block_size, 1, head_dim): a view of the cache; head_dim is at most kMaxHeadDim
//   args[2]  o  float32 (heads, head_dim), contiguous
#include <chiphost/float16.h>
#include <chiphost/kernel.h>

#include "../limits.h"

using chiphost::float16;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor& value = chiphost::tensor_arg(args, 1);
    const uint32_t heads = chiphost::tensor_arg(args, 0).shape[0];
    const uint32_t block_size = value.shape[1], head_dim = value.shape[3];
    const uint64_t token_stride = value.stride[1];
    const __gm__ float16* __restrict p = chiphost::tensor_data<const float16>(args, 0);
    const __gm__ float16* __restrict v = chiphost::tensor_data<const float16>(args, 1);
    __gm__ float* __restrict o = chiphost::tensor_data<float>(args, 2);

    // o = sum over t of (column t of p) x (row t of v). With t outermost every float16 is converted only once.
    for (uint32_t i = 0; i < heads * head_dim; ++i) o[i] = 0;
    for (uint32_t t = 0; t < block_size; ++t) {
        float v_t[kMaxHeadDim];
        for (uint32_t d = 0; d < head_dim; ++d) v_t[d] = static_cast<float>(v[t * token_stride + d]);
        for (uint32_t h = 0; h < heads; ++h) {
            const float p_ht = static_cast<float>(p[h * block_size + t]);
            for (uint32_t d = 0; d < head_dim; ++d) o[h * head_dim + d] += p_ht * v_t[d];
        }
    }
}
