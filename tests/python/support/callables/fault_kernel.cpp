// SPDX-License-Identifier: Apache-2.0
//
// Does a deed to its process, which the second argument names; 0 writes 42 to the first argument.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <chiphost/kernel.h>

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    switch (args[1]) {
        case 0:
            *chiphost::pointer_arg<int32_t>(args, 0) = 42;
            return;
        case 1:
            raise(SIGSEGV);
            return;
        case 2:
            exit(3);
        case 3:
            _exit(4);
        case 4:
            fputs("the kernel's last words\n", stderr);
            abort();
        default:
            for (;;) pause();
    }
}
