// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel: o = p @ v, the weighted sum of one block's values for each head of a tile, float16 in, sums in float32
//
//   args[0]  p             const float16[heads][block_size]
//   args[1]  v             const float16[block_size][token_stride], of which head_dim elements are used
//   args[2]  o             float[heads][head_dim], does not overlap p or v
//   args[3]  heads         int32_t
//   args[4]  block_size    int32_t
//   args[5]  head_dim      int32_t, at most kMaxHeadDim
//   args[6]  token_stride  int32_t
#include <chiphost/float16.h>
#include <chiphost/kernel.h>

#include "../limits.h"

using chiphost::float16;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float16* __restrict p = chiphost::pointer_arg<const float16>(args, 0);
    const __gm__ float16* __restrict v = chiphost::pointer_arg<const float16>(args, 1);
    __gm__ float* __restrict o = chiphost::pointer_arg<float>(args, 2);
    const int32_t heads = chiphost::scalar_arg<int32_t>(args, 3);
    const int32_t block_size = chiphost::scalar_arg<int32_t>(args, 4);
    const int32_t head_dim = chiphost::scalar_arg<int32_t>(args, 5);
    const int32_t token_stride = chiphost::scalar_arg<int32_t>(args, 6);

    // o = sum over t of (column t of p) x (row t of v). With t outermost every float16 is converted only once.
    for (int32_t i = 0; i < heads * head_dim; ++i) o[i] = 0;
    for (int32_t t = 0; t < block_size; ++t) {
        float v_t[kMaxHeadDim];
        for (int32_t d = 0; d < head_dim; ++d) v_t[d] = static_cast<float>(v[t * token_stride + d]);
        for (int32_t h = 0; h < heads; ++h) {
            const float p_ht = static_cast<float>(p[h * block_size + t]);
            for (int32_t d = 0; d < head_dim; ++d) o[h * head_dim + d] += p_ht * v_t[d];
        }
    }
}
