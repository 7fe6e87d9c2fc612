// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel: s = q @ k^T, the scores of a tile of heads for the tokens of one block, float16 in, sums in float32
//
//   args[0]  q  float16 (1, heads, head_dim), contiguous
//   args[1]  k  float16 (1, block_size, 1, head_dim): a view of the cache; block_size is at most kMaxBlockSize
//   args[2]  s  float32 (heads, block_size), contiguous
//
// The whole block is computed, also where it lies beyond the context: softmax_block does not see that part.
#include <chiphost/float16.h>
#include <chiphost/kernel.h>

#include "../limits.h"

using chiphost::float16;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor& key = chiphost::tensor_arg(args, 1);
    const uint32_t heads = chiphost::tensor_arg(args, 0).shape[1];
    const uint32_t block_size = key.shape[1], head_dim = key.shape[3];
    const uint64_t token_stride = key.stride[1];
    const __gm__ float16* __restrict q = chiphost::tensor_data<const float16>(args, 0);
    const __gm__ float16* __restrict k = chiphost::tensor_data<const float16>(args, 1);
    __gm__ float* __restrict s = chiphost::tensor_data<float>(args, 2);

    // s = sum over d of (column d of q) x (column d of k). With d outermost every float16 is converted only once.
    for (uint32_t i = 0; i < heads * block_size; ++i) s[i] = 0;
    for (uint32_t d = 0; d < head_dim; ++d) {
        float k_d[kMaxBlockSize];
        for (uint32_t t = 0; t < block_size; ++t) k_d[t] = static_cast<float>(k[t * token_stride + d]);
        for (uint32_t h = 0; h < heads; ++h) {
            const float q_hd = static_cast<float>(q[h * head_dim + d]);
            for (uint32_t t = 0; t < block_size; ++t) s[h * block_size + t] += q_hd * k_d[t];
        }
    }
}
