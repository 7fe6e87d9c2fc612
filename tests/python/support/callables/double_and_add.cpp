// SPDX-License-Identifier: Apache-2.0
// x = 2x + 1
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    float* x = chiphost::tensor_data<float>(args, 0);
    for (uint32_t i = 0; i < chiphost::tensor_arg(args, 0).shape[0]; ++i) x[i] = x[i] * 2 + 1;
}
