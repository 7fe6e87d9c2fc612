// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: out = x for one number, uint32
//
//   args[0]  x    (1, 1)
//   args[1]  out  (1, 1)
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    *chiphost::tensor_data<uint32_t>(args, 1) = *chiphost::tensor_data<const uint32_t>(args, 0);
}
