// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <sys/mman.h>

#include "chiphost/abi/error.h"

namespace chiphost::isolate {

// The reason why the system has just refused a thread with such a stack: CH_HOST_MEMORY_EXHAUSTED, or
// CH_THREAD_NOT_STARTED. pthread_create says EAGAIN for both.
inline ch_code thread_refusal(uint64_t stack_bytes) {
    void* const stack =
        mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return CH_HOST_MEMORY_EXHAUSTED;
    munmap(stack, stack_bytes);
    return CH_THREAD_NOT_STARTED;
}

}  // namespace chiphost::isolate
