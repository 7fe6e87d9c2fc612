// SPDX-License-Identifier: Apache-2.0
//
// Hangs until the word at args[0] (an address in the test's own memory) becomes 1.
#include <sched.h>

#include <chiphost/kernel.h>

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto* word = reinterpret_cast<uint32_t*>(*chiphost::pointer_arg<uint64_t>(args, 0));
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != 1) sched_yield();
}
