// SPDX-License-Identifier: Apache-2.0
#include <chiphost/kernel.h>

// out = factor * x, a row
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float* x = chiphost::tensor_data<const float>(args, 0);
    __gm__ float* out = chiphost::tensor_data<float>(args, 1);
    const float factor = chiphost::scalar_arg<float>(args, 2);

    const uint32_t columns = chiphost::tensor_arg(args, 0).shape[1];
    for (uint32_t i = 0; i < columns; ++i) out[i] = factor * x[i];
}
