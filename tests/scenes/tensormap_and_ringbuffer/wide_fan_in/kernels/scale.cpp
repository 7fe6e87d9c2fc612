// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: part[i] = factor * x[i], float32
//
//   args[0]  x       (elements), contiguous
//   args[1]  part    (elements) or (1, elements), contiguous, does not overlap x
//   args[2]  factor  float
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict x = chiphost::tensor_data<const float>(args, 0);
    __gm__ float* __restrict part = chiphost::tensor_data<float>(args, 1);
    const float factor = chiphost::scalar_arg<float>(args, 2);
    const uint32_t elements = chiphost::tensor_arg(args, 0).shape[0];

    for (uint32_t i = 0; i < elements; ++i) part[i] = factor * x[i];
}
