// SPDX-License-Identifier: Apache-2.0
#include <chiphost/kernel.h>

// out[i] = 2 * x[i]
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const auto* x = chiphost::tensor_data<float>(args, 0);
    auto* out = chiphost::tensor_data<float>(args, 1);
    const uint32_t elements = chiphost::tensor_arg(args, 1).shape[0];
    for (uint32_t i = 0; i < elements; ++i) out[i] = 2 * x[i];
}
