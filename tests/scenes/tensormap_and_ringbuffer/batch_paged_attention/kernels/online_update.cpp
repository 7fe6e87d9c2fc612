// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: takes one block of each request into the running softmax of a tile of heads
//
// m, l and o are relative to the largest score so far: o = sum of exp(score - m) * v, l = sum of exp(score - m). The
// block comes with the same three relative to its own maximum. Both are brought to the larger maximum and added.
//
//   args[0]  m_block  float32 (requests, heads); -infinity for a request without such a block
//   args[1]  l_block  float32 (requests, heads)
//   args[2]  o_block  float32 (requests, heads, head_dim)
//   args[3]  m        float32 (requests, heads); -infinity before the first block, which every request has
//   args[4]  l        float32 (requests, heads)
//   args[5]  o        float32 (requests, heads, head_dim)
//   args[6]  out      float32 (requests, heads, head_dim): o / l, written after the last block; a view of all heads
//   args[7]  is_last  bool
//
// All but out are contiguous.
#include <chiphost/kernel.h>
#include <chiphost/math.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict m_block = chiphost::tensor_data<const float>(args, 0);
    const __gm__ float* __restrict l_block = chiphost::tensor_data<const float>(args, 1);
    const __gm__ float* __restrict o_block = chiphost::tensor_data<const float>(args, 2);
    __gm__ float* __restrict m = chiphost::tensor_data<float>(args, 3);
    __gm__ float* __restrict l = chiphost::tensor_data<float>(args, 4);
    __gm__ float* __restrict o = chiphost::tensor_data<float>(args, 5);
    const __gm__ ch_device_tensor& output = chiphost::tensor_arg(args, 6);
    const bool is_last = chiphost::scalar_arg<bool>(args, 7);
    const uint32_t requests = output.shape[0], heads = output.shape[1], head_dim = output.shape[2];

    for (uint32_t row = 0; row < requests * heads; ++row, o += head_dim, o_block += head_dim) {
        const float max = chiphost::max(m[row], m_block[row]);
        const float keep = chiphost::exp(m[row] - max), take = chiphost::exp(m_block[row] - max);
        m[row] = max;
        l[row] = keep * l[row] + take * l_block[row];
        for (uint32_t d = 0; d < head_dim; ++d) o[d] = keep * o[d] + take * o_block[d];
        if (is_last) {
            const uint64_t request = row / heads, head = row % heads;
            __gm__ float* __restrict out =
                chiphost::tensor_data<float>(args, 6) + request * output.stride[0] + head * output.stride[1];
            for (uint32_t d = 0; d < head_dim; ++d) out[d] = o[d] / l[row];
        }
    }
}
