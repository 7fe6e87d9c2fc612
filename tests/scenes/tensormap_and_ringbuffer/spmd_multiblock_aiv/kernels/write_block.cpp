// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: each block writes a line of out: block_idx, block_num, then 0
//
//   args[0]  out         float32 (lines, 16), contiguous
//   args[1]  first_line  uint32_t: the line of block 0
#include <chiphost/kernel.h>

namespace {

constexpr int kLine = 16;  // floats in 64 bytes

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const int32_t block = chiphost::get_block_idx(args);
    const uint32_t first_line = chiphost::scalar_arg<uint32_t>(args, 1);
    __gm__ float* line = chiphost::tensor_data<float>(args, 0) + (first_line + block) * kLine;

    for (int i = 0; i < kLine; ++i) line[i] = 0;
    line[0] = static_cast<float>(block);
    line[1] = static_cast<float>(chiphost::get_block_num(args));
}
