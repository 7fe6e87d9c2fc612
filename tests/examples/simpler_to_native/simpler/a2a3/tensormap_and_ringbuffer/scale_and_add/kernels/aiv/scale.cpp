// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <pto/pto-inst.hpp>

#include "tensor.h"

// out = factor * x, a row
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    __gm__ Tensor* x = reinterpret_cast<__gm__ Tensor*>(args[0]);
    __gm__ Tensor* out = reinterpret_cast<__gm__ Tensor*>(args[1]);
    float factor = from_u64<float>(static_cast<uint64_t>(args[2]));

    __gm__ float* from = reinterpret_cast<__gm__ float*>(x->buffer.addr) + x->start_offset;
    __gm__ float* to = reinterpret_cast<__gm__ float*>(out->buffer.addr) + out->start_offset;
    for (uint32_t i = 0; i < x->shapes[1]; ++i) to[i] = factor * from[i];
}
