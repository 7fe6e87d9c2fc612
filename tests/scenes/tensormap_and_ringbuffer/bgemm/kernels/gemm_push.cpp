// SPDX-License-Identifier: Apache-2.0
//
// AIC kernel of a MIX task: p = a @ b for tiles of 64x64; the upper half of p goes to AIV0, the lower one to AIV1
//
//   args[0]  a  float32, a contiguous tile
//   args[1]  b  float32, a contiguous tile
//   args[2]  c  for the vector cores
#include <chiphost/hand_over.h>
#include <chiphost/kernel.h>

namespace {

constexpr int kTile = 64;
constexpr int kHalf = kTile / 2;  // rows

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict a = chiphost::tensor_data<const float>(args, 0);
    const __gm__ float* __restrict b = chiphost::tensor_data<const float>(args, 1);

    // AIV0 adds the upper half to c while the lower one is computed.
    for (int half = 0; half < 2; ++half) {
        float p[kHalf][kTile] = {};
        for (int i = 0; i < kHalf; ++i) {
            for (int k = 0; k < kTile; ++k) {
                const float a_ik = a[(half * kHalf + i) * kTile + k];
                for (int j = 0; j < kTile; ++j) p[i][j] += a_ik * b[k * kTile + j];
            }
        }
        chiphost::push_to_aiv(args, half, p, sizeof p);
    }
}
