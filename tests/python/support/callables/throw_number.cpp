// SPDX-License-Identifier: Apache-2.0
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t*) {
    throw 5;
}
