// SPDX-License-Identifier: Apache-2.0
//
// Crashes in the way that its last argument says.
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <chiphost/kernel.h>

static volatile int zero = 0;

__attribute__((noinline)) int use_up_the_stack(volatile char* below) {
    volatile char block[4096];
    block[0] = below ? below[0] : 0;
    return use_up_the_stack(block) + block[0];
}

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    switch (chiphost::scalar_arg<int32_t>(args, 1)) {
        case 1:
            *reinterpret_cast<volatile int*>(16) = 1;
            return;
        case 2:
            zero = 12 / zero;
            return;
        case 3:
            __builtin_trap();
        case 4:  // a page of a file that has none
            *static_cast<volatile char*>(mmap(nullptr, 1, PROT_WRITE, MAP_SHARED, memfd_create("none", 0), 0)) = 1;
            return;
        case 5:
            abort();
        case 6:
            zero = raise(SIGSEGV);
            return;
        case 7:
            zero = use_up_the_stack(nullptr);
            return;
    }
}
