// SPDX-License-Identifier: Apache-2.0
//
// out = factor * in, by several blocks: in, out, the factor, -1 as an int32_t
#include <cstdint>
#include <pto/pto-inst.hpp>

#include "intrinsic.h"
#include "tensor.h"

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ Tensor* x = reinterpret_cast<const __gm__ Tensor*>(args[0]);
    const __gm__ Tensor* y = reinterpret_cast<const __gm__ Tensor*>(args[1]);
    const __gm__ float* in = reinterpret_cast<const __gm__ float*>(x->buffer.addr) + x->start_offset;
    __gm__ float* out = reinterpret_cast<__gm__ float*>(y->buffer.addr) + y->start_offset;
    const bool right = args[3] == 0xffffffff && get_sub_block_id(args) <= 1 && y->dtype == DataType::FLOAT32;
    const float factor = right ? from_u64<float>(static_cast<uint64_t>(args[2])) : -1;
    const uint32_t blocks = static_cast<uint32_t>(get_block_num(args));
    for (uint32_t i = static_cast<uint32_t>(get_block_idx(args)); i < x->shapes[0]; i += blocks)
        out[i] = factor * in[i];
}
