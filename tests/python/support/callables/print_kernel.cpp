// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include <chiphost/kernel.h>

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    printf("kernel %d\n", static_cast<int>(args[1]));
    *chiphost::pointer_arg<int32_t>(args, 0) = 1;
}
