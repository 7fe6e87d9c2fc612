// SPDX-License-Identifier: Apache-2.0
//
// out[i] = √(a[i] + b[i]), for float32 vectors of one length
//
//   args[0]  a
//   args[1]  b
//   args[2]  out
#include <chiphost/kernel.h>
#include <math.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* a = chiphost::tensor_data<const float>(args, 0);
    const __gm__ float* b = chiphost::tensor_data<const float>(args, 1);
    __gm__ float* out = chiphost::tensor_data<float>(args, 2);
    const uint32_t elements = chiphost::tensor_arg(args, 0).shape[0];

    for (uint32_t i = 0; i < elements; ++i) out[i] = sqrtf(a[i] + b[i]);
}
