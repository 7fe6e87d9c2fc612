// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: takes one block into the running softmax of a tile of heads
//
// m, l and o are relative to the largest score so far: o = sum of exp(score - m) * v, l = sum of exp(score - m). The
// block comes with the same three relative to its own maximum. Both are brought to the larger maximum and added.
//
//   args[0]   m_block   const float[heads]
//   args[1]   l_block   const float[heads]
//   args[2]   o_block   const float[heads][head_dim]
//   args[3]   m         float[heads]
//   args[4]   l         float[heads]
//   args[5]   o         float[heads][head_dim]
//   args[6]   out       float[heads][head_dim]: o / l, written after the last block
//   args[7]   heads     int32_t
//   args[8]   head_dim  int32_t
//   args[9]   is_first  bool: m, l and o have no value yet
//   args[10]  is_last   bool
#include <chiphost/kernel.h>
#include <chiphost/math.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict m_block = chiphost::pointer_arg<const float>(args, 0);
    const __gm__ float* __restrict l_block = chiphost::pointer_arg<const float>(args, 1);
    const __gm__ float* __restrict o_block = chiphost::pointer_arg<const float>(args, 2);
    __gm__ float* __restrict m = chiphost::pointer_arg<float>(args, 3);
    __gm__ float* __restrict l = chiphost::pointer_arg<float>(args, 4);
    __gm__ float* __restrict o = chiphost::pointer_arg<float>(args, 5);
    __gm__ float* __restrict out = chiphost::pointer_arg<float>(args, 6);
    const int32_t heads = chiphost::scalar_arg<int32_t>(args, 7);
    const int32_t head_dim = chiphost::scalar_arg<int32_t>(args, 8);
    const bool is_first = chiphost::scalar_arg<bool>(args, 9);
    const bool is_last = chiphost::scalar_arg<bool>(args, 10);

    for (int32_t h = 0; h < heads; ++h, o += head_dim, o_block += head_dim, out += head_dim) {
        if (is_first) {
            m[h] = m_block[h];
            l[h] = l_block[h];
            for (int32_t d = 0; d < head_dim; ++d) o[d] = o_block[d];
        } else {
            const float max = m[h] > m_block[h] ? m[h] : m_block[h];
            const float keep = chiphost::exp(m[h] - max), take = chiphost::exp(m_block[h] - max);
            m[h] = max;
            l[h] = keep * l[h] + take * l_block[h];
            for (int32_t d = 0; d < head_dim; ++d) o[d] = keep * o[d] + take * o_block[d];
        }
        if (is_last) {
            for (int32_t d = 0; d < head_dim; ++d) out[d] = o[d] / l[h];
        }
    }
}
