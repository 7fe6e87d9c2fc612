// SPDX-License-Identifier: Apache-2.0
//
// out = factor * in: addresses of both, the factor, how many
#include <cstdint>
#include <pto/pto-inst.hpp>

#include "data_type.h"

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* in = reinterpret_cast<const __gm__ float*>(args[0]);
    __gm__ float* out = reinterpret_cast<__gm__ float*>(args[1]);
    const float factor = from_u64<float>(static_cast<uint64_t>(args[2]));
    for (int64_t i = 0; i < args[3]; ++i) out[i] = factor * in[i];
}
