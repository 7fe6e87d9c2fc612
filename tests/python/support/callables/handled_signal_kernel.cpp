// SPDX-License-Identifier: Apache-2.0
#include <chiphost/kernel.h>

#include "handled_signal.h"

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    *chiphost::pointer_arg<int32_t>(args, 0) = handled_signal::reaches(args[1] != 0);
}
