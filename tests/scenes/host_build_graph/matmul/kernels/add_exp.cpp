// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: out[i] = exp(x[i] + y[i])
//
//   args[0]  x         const float[elements]
//   args[1]  y         const float[elements]
//   args[2]  out       float[elements], does not overlap x or y
//   args[3]  elements  uint64_t
#include <chiphost/kernel.h>
#include <chiphost/math.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict x = chiphost::pointer_arg<const float>(args, 0);
    const __gm__ float* __restrict y = chiphost::pointer_arg<const float>(args, 1);
    __gm__ float* __restrict out = chiphost::pointer_arg<float>(args, 2);
    const uint64_t elements = chiphost::scalar_arg<uint64_t>(args, 3);

    for (uint64_t i = 0; i < elements; ++i) out[i] = chiphost::exp(x[i] + y[i]);
}
