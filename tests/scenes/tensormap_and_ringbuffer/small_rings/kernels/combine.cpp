// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: x[i] = 2 * u[i] - t[i] modulo 2^32, for contiguous uint32 vectors of one length
//
//   args[0]  t
//   args[1]  u
//   args[2]  x, does not overlap t or u
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ uint32_t* __restrict t = chiphost::tensor_data<const uint32_t>(args, 0);
    const __gm__ uint32_t* __restrict u = chiphost::tensor_data<const uint32_t>(args, 1);
    __gm__ uint32_t* __restrict x = chiphost::tensor_data<uint32_t>(args, 2);
    const uint32_t elements = chiphost::tensor_arg(args, 2).shape[0];

    for (uint32_t i = 0; i < elements; ++i) x[i] = 2 * u[i] - t[i];
}
