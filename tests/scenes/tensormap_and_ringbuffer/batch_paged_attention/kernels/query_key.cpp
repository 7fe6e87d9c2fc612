// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel: s = q @ k^T, the scores of a tile of heads for the tokens of one block of each request
//
//   args[0]  q             float16 (requests, heads, head_dim): a view of all heads
//   args[1]  key_cache     float16 (total_blocks, block_size, 1, head_dim): a view of all key heads
//   args[2]  blocks        int32 (requests, 1): which block each request reads, a column of the block table
//   args[3]  context_lens  int32 (requests), contiguous
//   args[4]  s             float32 (requests, heads, block_size), contiguous
//   args[5]  first_token   int32_t: the number of the block's first token in its request
//
// Sums are in float32. Requests that end before first_token have no such block: their scores stay as they are.
// Otherwise the whole block is computed, also where it lies beyond the context; softmax_block leaves that out.
#include <chiphost/float16.h>
#include <chiphost/kernel.h>

#include "../limits.h"

using chiphost::float16;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor& query = chiphost::tensor_arg(args, 0);
    const __gm__ ch_device_tensor& cache = chiphost::tensor_arg(args, 1);
    const uint32_t requests = query.shape[0], heads = query.shape[1], head_dim = query.shape[2];
    const uint32_t block_size = cache.shape[1], block_stride = chiphost::tensor_arg(args, 2).stride[0];
    const uint64_t token_stride = cache.stride[1];
    const __gm__ int32_t* __restrict blocks = chiphost::tensor_data<const int32_t>(args, 2);
    const __gm__ int32_t* __restrict context_lens = chiphost::tensor_data<const int32_t>(args, 3);
    const int32_t first_token = chiphost::scalar_arg<int32_t>(args, 5);

    for (uint32_t request = 0; request < requests; ++request) {
        if (context_lens[request] <= first_token) continue;
        const uint64_t block = blocks[request * block_stride];
        const __gm__ float16* __restrict q =
            chiphost::tensor_data<const float16>(args, 0) + uint64_t{request} * query.stride[0];
        const __gm__ float16* __restrict k = chiphost::tensor_data<const float16>(args, 1) + block * cache.stride[0];
        __gm__ float* __restrict s = chiphost::tensor_data<float>(args, 4) + uint64_t{request} * heads * block_size;

        // s = sum over d of (column d of q) x (column d of k). With d outermost every float16 is converted only once.
        for (uint32_t i = 0; i < heads * block_size; ++i) s[i] = 0;
        for (uint32_t d = 0; d < head_dim; ++d) {
            float k_d[kMaxBlockSize];
            for (uint32_t t = 0; t < block_size; ++t) k_d[t] = static_cast<float>(k[t * token_stride + d]);
            for (uint32_t h = 0; h < heads; ++h) {
                const float q_hd = static_cast<float>(q[h * query.stride[1] + d]);
                for (uint32_t t = 0; t < block_size; ++t) s[h * block_size + t] += q_hd * k_d[t];
            }
        }
    }
}
