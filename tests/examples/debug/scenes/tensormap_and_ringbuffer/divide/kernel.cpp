// SPDX-License-Identifier: Apache-2.0
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto* value = chiphost::tensor_data<int32_t>(args, 0);
    const auto divisor = chiphost::scalar_arg<int32_t>(args, 1);
    const int32_t dividend = *value;
    *value = dividend / divisor;  // stop here
}
