// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: total[i] = sum over rows r of parts[r][i], float32
//
//   args[0]  parts  (rows, elements), contiguous
//   args[1]  total  (1, elements), contiguous, does not overlap parts
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict parts = chiphost::tensor_data<const float>(args, 0);
    __gm__ float* __restrict total = chiphost::tensor_data<float>(args, 1);
    const uint32_t rows = chiphost::tensor_arg(args, 0).shape[0], elements = chiphost::tensor_arg(args, 0).shape[1];

    for (uint32_t i = 0; i < elements; ++i) total[i] = 0;
    for (uint32_t r = 0; r < rows; ++r) {
        for (uint32_t i = 0; i < elements; ++i) total[i] += parts[r * elements + i];
    }
}
