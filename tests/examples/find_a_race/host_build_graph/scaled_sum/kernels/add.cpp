// SPDX-License-Identifier: Apache-2.0
#include <chiphost/kernel.h>

// out[i] = x[i] + y[i]
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const auto* x = chiphost::tensor_data<float>(args, 0);
    const auto* y = chiphost::tensor_data<float>(args, 1);
    auto* out = chiphost::tensor_data<float>(args, 2);
    const uint32_t elements = chiphost::tensor_arg(args, 2).shape[0];
    for (uint32_t i = 0; i < elements; ++i) out[i] = x[i] + y[i];
}
