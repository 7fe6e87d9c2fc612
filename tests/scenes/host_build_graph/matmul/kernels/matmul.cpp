// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel: c = b @ w for matrices of 128x128, float16 in, sums in float32
//
//   args[0]  b  const float16[128][128]
//   args[1]  w  const float16[128][128]
//   args[2]  c  float[128][128], does not overlap b or w
#include <chiphost/float16.h>
#include <chiphost/kernel.h>

using chiphost::float16;

namespace {

constexpr int kSize = 128;

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float16* __restrict b = chiphost::pointer_arg<const float16>(args, 0);
    const __gm__ float16* __restrict w = chiphost::pointer_arg<const float16>(args, 1);
    __gm__ float* __restrict c = chiphost::pointer_arg<float>(args, 2);

    // c = sum over k of (column k of b) x (row k of w). With k outermost every float16 is converted only once.
    for (int i = 0; i < kSize * kSize; ++i) c[i] = 0;
    for (int k = 0; k < kSize; ++k) {
        float w_k[kSize];
        for (int j = 0; j < kSize; ++j) w_k[j] = static_cast<float>(w[k * kSize + j]);
        for (int i = 0; i < kSize; ++i) {
            const float b_ik = static_cast<float>(b[i * kSize + k]);
            for (int j = 0; j < kSize; ++j) c[i * kSize + j] += b_ik * w_k[j];
        }
    }
}
