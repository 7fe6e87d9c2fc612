// SPDX-License-Identifier: Apache-2.0
//
// AIC or AIV kernel: each core of each block has a line of its own: block_idx, block_num, core type, and how often this
// ran
//
//   args[0]  lines            float32 (lines of the task, 16), contiguous
//   args[1]  lines_per_block  uint32_t: 1, or 3 in a MIX task: AIC, AIV0, AIV1
//
// ON_AIV is 0 on an AIC and 1 on an AIV; scene.py says.
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    constexpr int line_elements = 16;  // floats in 64 bytes
    const int32_t block = chiphost::get_block_idx(args);
    const auto lines_per_block = chiphost::scalar_arg<int32_t>(args, 1);
    // A task on one core may be on either vector core of a cluster.
    const int32_t in_block = lines_per_block == 1 ? 0 : ON_AIV + chiphost::get_sub_block_id(args);

    __gm__ float* line = chiphost::tensor_data<float>(args, 0) + (block * lines_per_block + in_block) * line_elements;
    line[0] = static_cast<float>(block);
    line[1] = static_cast<float>(chiphost::get_block_num(args));
    line[2] = ON_AIV;
    line[3] += 1;
}
