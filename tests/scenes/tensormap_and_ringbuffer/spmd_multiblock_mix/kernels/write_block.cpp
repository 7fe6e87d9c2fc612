// SPDX-License-Identifier: Apache-2.0
//
// AIC or AIV kernel: each core of each block writes a line of out: block_idx, block_num, sub_block_id, then 0
//
//   args[0]  out         float32 (lines, 16), contiguous; a block has three lines: AIC, AIV0, AIV1
//   args[1]  first_line  uint32_t: the first line of block 0
//
// FIRST_LINE is 0 on an AIC and 1 on an AIV; scene.py says.
#include <chiphost/kernel.h>

namespace {

constexpr int kLine = 16;  // floats in 64 bytes
constexpr int kCores = 3;

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const int32_t block = chiphost::get_block_idx(args), sub_block_id = chiphost::get_sub_block_id(args);
    const uint32_t first_line = chiphost::scalar_arg<uint32_t>(args, 1);
    __gm__ float* line =
        chiphost::tensor_data<float>(args, 0) + (first_line + block * kCores + FIRST_LINE + sub_block_id) * kLine;

    for (int i = 0; i < kLine; ++i) line[i] = 0;
    line[0] = static_cast<float>(block);
    line[1] = static_cast<float>(chiphost::get_block_num(args));
    line[2] = static_cast<float>(sub_block_id);
}
