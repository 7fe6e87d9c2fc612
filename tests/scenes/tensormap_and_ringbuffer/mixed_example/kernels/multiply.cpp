// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: out[i] = x[i] * y[i], for contiguous float32 matrices of 128x128
//
//   args[FIRST_ARG]      x
//   args[FIRST_ARG + 1]  y
//   args[FIRST_ARG + 2]  out, does not overlap x or y
//
// All kernels of a task get the same arguments: where its own begin depends on who else takes part. scene.py says.
#include <chiphost/kernel.h>

namespace {

constexpr int kElements = 128 * 128;

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict x = chiphost::tensor_data<const float>(args, FIRST_ARG);
    const __gm__ float* __restrict y = chiphost::tensor_data<const float>(args, FIRST_ARG + 1);
    __gm__ float* __restrict out = chiphost::tensor_data<float>(args, FIRST_ARG + 2);

    for (int i = 0; i < kElements; ++i) out[i] = x[i] * y[i];
}
