// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: c += p for tiles of 64x64
//
//   args[0]  c  float[64][64]
//   args[1]  p  const float[64][64], does not overlap c
#include <chiphost/kernel.h>

namespace {

constexpr int kTile = 64;

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    __gm__ float* __restrict c = chiphost::pointer_arg<float>(args, 0);
    const __gm__ float* __restrict p = chiphost::pointer_arg<const float>(args, 1);

    for (int i = 0; i < kTile * kTile; ++i) c[i] += p[i];
}
