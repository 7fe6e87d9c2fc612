// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <pto/pto-inst.hpp>

#include "tensor.h"

// out = x + y, a row
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    __gm__ Tensor* x = reinterpret_cast<__gm__ Tensor*>(args[0]);
    __gm__ Tensor* y = reinterpret_cast<__gm__ Tensor*>(args[1]);
    __gm__ Tensor* out = reinterpret_cast<__gm__ Tensor*>(args[2]);

    __gm__ float* left = reinterpret_cast<__gm__ float*>(x->buffer.addr) + x->start_offset;
    __gm__ float* right = reinterpret_cast<__gm__ float*>(y->buffer.addr) + y->start_offset;
    __gm__ float* to = reinterpret_cast<__gm__ float*>(out->buffer.addr) + out->start_offset;
    for (uint32_t i = 0; i < x->shapes[1]; ++i) to[i] = left[i] + right[i];
}
