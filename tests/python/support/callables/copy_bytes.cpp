// SPDX-License-Identifier: Apache-2.0
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    memcpy(chiphost::pointer_arg<char>(args, 1), chiphost::pointer_arg<const char>(args, 0),
           static_cast<size_t>(args[2]));
}
