// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: total[i] = sum over rows r of (r + 1) * x[r][i] modulo 2^32
//
//   args[0]  x      uint32 (rows, columns), contiguous
//   args[1]  total  uint32 (columns), does not overlap x
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ uint32_t* __restrict x = chiphost::tensor_data<const uint32_t>(args, 0);
    __gm__ uint32_t* __restrict total = chiphost::tensor_data<uint32_t>(args, 1);
    const uint32_t rows = chiphost::tensor_arg(args, 0).shape[0], columns = chiphost::tensor_arg(args, 0).shape[1];

    for (uint32_t i = 0; i < columns; ++i) total[i] = 0;
    for (uint32_t r = 0; r < rows; ++r) {
        for (uint32_t i = 0; i < columns; ++i) total[i] += (r + 1) * x[r * columns + i];
    }
}
