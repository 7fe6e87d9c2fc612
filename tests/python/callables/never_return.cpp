// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t*) {
    for (;;) pause();  // without using the processor that other tests need
}
