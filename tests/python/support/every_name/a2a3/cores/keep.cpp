// SPDX-License-Identifier: Apache-2.0
//
// y = ones * y: ones, y, a tensor that is not used, the words 7 and 8
#include <cstdint>
#include <pto/pto-inst.hpp>

#include "tensor.h"

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ Tensor* ones = reinterpret_cast<const __gm__ Tensor*>(args[0]);
    const __gm__ Tensor* y = reinterpret_cast<const __gm__ Tensor*>(args[1]);
    const __gm__ float* one = reinterpret_cast<const __gm__ float*>(ones->buffer.addr) + ones->start_offset;
    __gm__ float* out = reinterpret_cast<__gm__ float*>(y->buffer.addr) + y->start_offset;
    const bool right = args[3] == 7 && args[4] == 8;
    for (uint32_t i = 0; i < y->shapes[0]; ++i) out[i] = right ? one[i] * out[i] : -1;
}
