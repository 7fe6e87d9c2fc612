// SPDX-License-Identifier: Apache-2.0
//
// Adds 1 to the first element of the first tensor, int32.
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    ++*chiphost::tensor_data<int32_t>(args, 0);
}
