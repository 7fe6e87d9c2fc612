// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: out[i] = x[i] + addend modulo 2^32, for contiguous uint32 vectors of one length
//
//   args[0]  x
//   args[1]  out, does not overlap x
//   args[2]  addend  uint32_t
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ uint32_t* __restrict x = chiphost::tensor_data<const uint32_t>(args, 0);
    __gm__ uint32_t* __restrict out = chiphost::tensor_data<uint32_t>(args, 1);
    const uint32_t addend = chiphost::scalar_arg<uint32_t>(args, 2);
    const uint32_t elements = chiphost::tensor_arg(args, 1).shape[0];

    for (uint32_t i = 0; i < elements; ++i) out[i] = x[i] + addend;
}
