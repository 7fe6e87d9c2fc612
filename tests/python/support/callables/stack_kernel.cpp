// SPDX-License-Identifier: Apache-2.0
#include <alloca.h>
#include <stddef.h>

#include <chiphost/kernel.h>

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const int64_t bytes = args[2];
    volatile char* memory = static_cast<volatile char*>(alloca(static_cast<size_t>(bytes)));
    for (int64_t i = 0; i < bytes; i += 4096) memory[bytes - 1 - i] = 1;
    chiphost::pointer_arg<int64_t>(args, 0)[args[1]] = memory[bytes - 1];
}
