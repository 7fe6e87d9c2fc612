// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: c += p for tiles of 64x64
//
//   args[0]  c  float32, a contiguous tile
//   args[1]  p  float32, a contiguous tile, does not overlap c
#include <chiphost/kernel.h>

namespace {

constexpr int kTile = 64;

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    __gm__ float* __restrict c = chiphost::tensor_data<float>(args, 0);
    const __gm__ float* __restrict p = chiphost::tensor_data<const float>(args, 1);

    for (int i = 0; i < kTile * kTile; ++i) c[i] += p[i];
}
