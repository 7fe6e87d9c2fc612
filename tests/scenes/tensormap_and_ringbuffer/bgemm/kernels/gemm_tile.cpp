// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel: p = a @ b for tiles of 64x64
//
//   args[0]  a  float32, a contiguous tile
//   args[1]  b  float32, a contiguous tile
//   args[2]  p  float32, a contiguous tile, does not overlap a or b
#include <chiphost/kernel.h>

namespace {

constexpr int kTile = 64;

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict a = chiphost::tensor_data<const float>(args, 0);
    const __gm__ float* __restrict b = chiphost::tensor_data<const float>(args, 1);
    __gm__ float* __restrict p = chiphost::tensor_data<float>(args, 2);

    // i-k-j: the innermost loop runs along rows of b and p, so it is contiguous and becomes vector instructions.
    for (int i = 0; i < kTile; ++i) {
        float row[kTile] = {};
        for (int k = 0; k < kTile; ++k) {
            const float a_ik = a[i * kTile + k];
            for (int j = 0; j < kTile; ++j) row[j] += a_ik * b[k * kTile + j];
        }
        for (int j = 0; j < kTile; ++j) p[i * kTile + j] = row[j];
    }
}
