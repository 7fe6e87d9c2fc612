// SPDX-License-Identifier: Apache-2.0
//
// Waits for the second AIV of its cluster, which says nothing.
#include <chiphost/kernel_services.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    for (;;) chiphost::pause_kernel(chiphost::kernel_context(args), 4);
}
