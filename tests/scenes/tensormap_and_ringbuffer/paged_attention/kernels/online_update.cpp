// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: takes one block into the running softmax of a tile of heads
//
// m, l and o are relative to the largest score so far: o = sum of exp(score - m) * v, l = sum of exp(score - m). The
// block comes with the same three relative to its own maximum. Both are brought to the larger maximum and added.
//
//   args[0]  m_block  float32 (heads)
//   args[1]  l_block  float32 (heads)
//   args[2]  o_block  float32 (heads, head_dim)
//   args[3]  m        float32 (heads); -infinity before the first block
//   args[4]  l        float32 (heads)
//   args[5]  o        float32 (heads, head_dim)
//   args[6]  out      float32 (1, heads, head_dim): o / l, written after the last block
//   args[7]  is_last  bool
//
// All are contiguous.
#include <chiphost/kernel.h>
#include <chiphost/math.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict m_block = chiphost::tensor_data<const float>(args, 0);
    const __gm__ float* __restrict l_block = chiphost::tensor_data<const float>(args, 1);
    const __gm__ float* __restrict o_block = chiphost::tensor_data<const float>(args, 2);
    __gm__ float* __restrict m = chiphost::tensor_data<float>(args, 3);
    __gm__ float* __restrict l = chiphost::tensor_data<float>(args, 4);
    __gm__ float* __restrict o = chiphost::tensor_data<float>(args, 5);
    __gm__ float* __restrict out = chiphost::tensor_data<float>(args, 6);
    const bool is_last = chiphost::scalar_arg<bool>(args, 7);
    const uint32_t heads = chiphost::tensor_arg(args, 5).shape[0], head_dim = chiphost::tensor_arg(args, 5).shape[1];

    for (uint32_t h = 0; h < heads; ++h, o += head_dim, o_block += head_dim, out += head_dim) {
        const float max = chiphost::max(m[h], m_block[h]);
        const float keep = chiphost::exp(m[h] - max), take = chiphost::exp(m_block[h] - max);
        m[h] = max;
        l[h] = keep * l[h] + take * l_block[h];
        for (uint32_t d = 0; d < head_dim; ++d) o[d] = keep * o[d] + take * o_block[d];
        if (is_last) {
            for (uint32_t d = 0; d < head_dim; ++d) out[d] = o[d] / l[h];
        }
    }
}
