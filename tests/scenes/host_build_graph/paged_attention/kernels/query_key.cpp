// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel: s = q @ k^T, the scores of a tile of heads for the tokens of one block, float16 in, sums in float32
//
//   args[0]  q             const float16[heads][head_dim]
//   args[1]  k             const float16[block_size][token_stride], of which head_dim elements are used
//   args[2]  s             float[heads][block_size], does not overlap q or k
//   args[3]  heads         int32_t
//   args[4]  block_size    int32_t, at most kMaxBlockSize
//   args[5]  head_dim      int32_t
//   args[6]  token_stride  int32_t
//
// The whole block is computed, also where it lies beyond the context: softmax_block leaves that out.
#include <chiphost/float16.h>
#include <chiphost/kernel.h>

#include "../limits.h"

using chiphost::float16;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float16* __restrict q = chiphost::pointer_arg<const float16>(args, 0);
    const __gm__ float16* __restrict k = chiphost::pointer_arg<const float16>(args, 1);
    __gm__ float* __restrict s = chiphost::pointer_arg<float>(args, 2);
    const int32_t heads = chiphost::scalar_arg<int32_t>(args, 3);
    const int32_t block_size = chiphost::scalar_arg<int32_t>(args, 4);
    const int32_t head_dim = chiphost::scalar_arg<int32_t>(args, 5);
    const int32_t token_stride = chiphost::scalar_arg<int32_t>(args, 6);

    // s = sum over d of (column d of q) x (column d of k). With d outermost every float16 is converted only once.
    for (int32_t i = 0; i < heads * block_size; ++i) s[i] = 0;
    for (int32_t d = 0; d < head_dim; ++d) {
        float k_d[kMaxBlockSize];
        for (int32_t t = 0; t < block_size; ++t) k_d[t] = static_cast<float>(k[t * token_stride + d]);
        for (int32_t h = 0; h < heads; ++h) {
            const float q_hd = static_cast<float>(q[h * head_dim + d]);
            for (int32_t t = 0; t < block_size; ++t) s[h * block_size + t] += q_hd * k_d[t];
        }
    }
}
