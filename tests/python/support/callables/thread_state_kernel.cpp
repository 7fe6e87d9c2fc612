// SPDX-License-Identifier: Apache-2.0
//
// (out, row, what): changes its thread, or writes a row about it if `what` is 0.
#include <chiphost/kernel.h>

#include "thread_state.h"

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    if (args[2] == 0) {
        thread_state::look(chiphost::pointer_arg<int64_t>(args, 0) + args[1] * thread_state::facts);
    } else {
        thread_state::change(static_cast<int>(args[2]));
    }
}
