// SPDX-License-Identifier: Apache-2.0
//
// c = a @ b for contiguous float32 tiles of 64x64, as three plain loops. The innermost one adds up one element of c.
// With one of these two it runs along rows of b and c, and becomes vector instructions if the compiler vectorises:
//
//   ROW_OF_ITS_OWN  in a row that is no tensor, and is copied to c when it is complete
//   ROWS_IN_PLACE   in c itself
//
//   args[0]  a
//   args[1]  b
//   args[2]  c
#include <chiphost/kernel.h>

namespace {

constexpr int kSize = 64;

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* __restrict a = chiphost::tensor_data<const float>(args, 0);
    const __gm__ float* __restrict b = chiphost::tensor_data<const float>(args, 1);
    __gm__ float* __restrict c = chiphost::tensor_data<float>(args, 2);
#if defined ROW_OF_ITS_OWN
    for (int i = 0; i < kSize; ++i) {
        float row[kSize] = {};
        for (int k = 0; k < kSize; ++k) {
            for (int j = 0; j < kSize; ++j) row[j] += a[i * kSize + k] * b[k * kSize + j];
        }
        for (int j = 0; j < kSize; ++j) c[i * kSize + j] = row[j];
    }
#elif defined ROWS_IN_PLACE
    for (int i = 0; i < kSize * kSize; ++i) c[i] = 0;
    for (int i = 0; i < kSize; ++i) {
        for (int k = 0; k < kSize; ++k) {
            for (int j = 0; j < kSize; ++j) c[i * kSize + j] += a[i * kSize + k] * b[k * kSize + j];
        }
    }
#else
    for (int i = 0; i < kSize; ++i) {
        for (int j = 0; j < kSize; ++j) {
            float sum = 0;
            for (int k = 0; k < kSize; ++k) sum += a[i * kSize + k] * b[k * kSize + j];
            c[i * kSize + j] = sum;
        }
    }
#endif
}
