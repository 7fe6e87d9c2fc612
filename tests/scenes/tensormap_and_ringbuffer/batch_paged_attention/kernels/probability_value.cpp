// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel: o = p @ v, the weighted sum of the values of one block of each request, for each head of a tile
//
//   args[0]  p             float16 (requests, heads, block_size), contiguous
//   args[1]  value_cache   float16 (total_blocks, block_size, 1, head_dim): a view of all value heads
//   args[2]  blocks        int32 (requests, 1): which block each request reads, a column of the block table
//   args[3]  context_lens  int32 (requests), contiguous
//   args[4]  o             float32 (requests, heads, head_dim), contiguous
//   args[5]  first_token   int32_t: the number of the block's first token in its request
//
// Sums are in float32. o is 0 for requests that end before first_token.
#include <chiphost/float16.h>
#include <chiphost/kernel.h>

#include "../limits.h"

using chiphost::float16;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor& weights = chiphost::tensor_arg(args, 0);
    const __gm__ ch_device_tensor& cache = chiphost::tensor_arg(args, 1);
    const uint32_t requests = weights.shape[0], heads = weights.shape[1];
    const uint32_t block_size = cache.shape[1], head_dim = cache.shape[3];
    const uint32_t block_stride = chiphost::tensor_arg(args, 2).stride[0];
    const uint64_t token_stride = cache.stride[1];
    const __gm__ int32_t* __restrict blocks = chiphost::tensor_data<const int32_t>(args, 2);
    const __gm__ int32_t* __restrict context_lens = chiphost::tensor_data<const int32_t>(args, 3);
    const int32_t first_token = chiphost::scalar_arg<int32_t>(args, 5);

    for (uint32_t request = 0; request < requests; ++request) {
        const __gm__ float16* __restrict p =
            chiphost::tensor_data<const float16>(args, 0) + uint64_t{request} * heads * block_size;
        __gm__ float* __restrict o = chiphost::tensor_data<float>(args, 4) + uint64_t{request} * heads * head_dim;

        for (uint32_t i = 0; i < heads * head_dim; ++i) o[i] = 0;
        if (context_lens[request] <= first_token) continue;

        // o = sum over t of (column t of p) x (row t of v). With t outermost every float16 is converted only once.
        const uint64_t block = blocks[request * block_stride];
        const __gm__ float16* __restrict v = chiphost::tensor_data<const float16>(args, 1) + block * cache.stride[0];
        for (uint32_t t = 0; t < block_size; ++t) {
            float v_t[kMaxHeadDim];
            for (uint32_t d = 0; d < head_dim; ++d) v_t[d] = static_cast<float>(v[t * token_stride + d]);
            for (uint32_t h = 0; h < heads; ++h) {
                const float p_ht = static_cast<float>(p[h * block_size + t]);
                for (uint32_t d = 0; d < head_dim; ++d) o[h * head_dim + d] += p_ht * v_t[d];
            }
        }
    }
}
