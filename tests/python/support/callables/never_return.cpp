// SPDX-License-Identifier: Apache-2.0
//
// Says on stdout that it runs, so that a test knows, and hangs.
#include <unistd.h>

#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t*) {
    static_cast<void>(!write(STDOUT_FILENO, "the kernel runs\n", 16));
    for (;;) pause();  // without using the processor that other tests need
}
