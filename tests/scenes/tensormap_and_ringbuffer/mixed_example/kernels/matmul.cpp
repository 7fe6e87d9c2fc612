// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel: out = x @ y for contiguous float32 matrices of 128x128
//
//   args[0]  x
//   args[1]  y
//   args[2]  out, does not overlap x or y
#include <chiphost/kernel.h>

namespace {

constexpr int kSize = 128;

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict x = chiphost::tensor_data<const float>(args, 0);
    const __gm__ float* __restrict y = chiphost::tensor_data<const float>(args, 1);
    __gm__ float* __restrict out = chiphost::tensor_data<float>(args, 2);

    // i-k-j: the innermost loop runs along rows of y and out, so it is contiguous and becomes vector instructions.
    for (int i = 0; i < kSize; ++i) {
        float row[kSize] = {};
        for (int k = 0; k < kSize; ++k) {
            const float x_ik = x[i * kSize + k];
            for (int j = 0; j < kSize; ++j) row[j] += x_ik * y[k * kSize + j];
        }
        for (int j = 0; j < kSize; ++j) out[i * kSize + j] = row[j];
    }
}
