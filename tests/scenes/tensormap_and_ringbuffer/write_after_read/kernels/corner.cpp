// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: out = the first element of x, float32
//
//   args[0]  x    (rows, columns)
//   args[1]  out  (1)
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    *chiphost::tensor_data<float>(args, 1) = *chiphost::tensor_data<const float>(args, 0);
}
