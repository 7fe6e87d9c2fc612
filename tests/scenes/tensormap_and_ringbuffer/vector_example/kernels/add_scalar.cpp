// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: out[i] = x[i] + addend, for contiguous float32 vectors of one length
//
//   args[0]  x
//   args[1]  out, does not overlap x
//   args[2]  addend  float
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict x = chiphost::tensor_data<const float>(args, 0);
    __gm__ float* __restrict out = chiphost::tensor_data<float>(args, 1);
    const float addend = chiphost::scalar_arg<float>(args, 2);
    const uint32_t elements = chiphost::tensor_arg(args, 1).shape[0];

    for (uint32_t i = 0; i < elements; ++i) out[i] = x[i] + addend;
}
