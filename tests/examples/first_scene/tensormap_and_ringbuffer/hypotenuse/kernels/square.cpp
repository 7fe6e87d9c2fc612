// SPDX-License-Identifier: Apache-2.0
//
// out[i] = x[i]², for float32 vectors of one length
//
//   args[0]  x
//   args[1]  out
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* x = chiphost::tensor_data<const float>(args, 0);
    __gm__ float* out = chiphost::tensor_data<float>(args, 1);
    const uint32_t elements = chiphost::tensor_arg(args, 0).shape[0];

    for (uint32_t i = 0; i < elements; ++i) out[i] = x[i] * x[i];
}
