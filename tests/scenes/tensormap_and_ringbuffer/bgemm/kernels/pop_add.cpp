// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel of a MIX task: c += p for half a tile of 64x64, with the p that the AIC hands over
//
//   args[0]  a  for the matrix core
//   args[1]  b  for the matrix core
//   args[2]  c  float32, a contiguous tile: AIV0 adds to its upper half, AIV1 to its lower one
#include <chiphost/hand_over.h>
#include <chiphost/kernel.h>

namespace {

constexpr int kTile = 64;
constexpr int kHalf = kTile / 2;  // rows

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const int first = chiphost::get_sub_block_id(args) * kHalf * kTile;
    __gm__ float* __restrict c = chiphost::tensor_data<float>(args, 2) + first;

    float p[kHalf * kTile];
    chiphost::pop_from_aic(args, p, sizeof p);
    for (int i = 0; i < kHalf * kTile; ++i) c[i] += p[i];
}
