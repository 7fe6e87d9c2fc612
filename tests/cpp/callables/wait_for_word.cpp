// SPDX-License-Identifier: Apache-2.0
//
// args[0] is the log: log[0] holds the address of a word in the test's own memory. Turns the word from 0 to 2 to say
// that it runs, hangs until the word becomes 1, then writes to log[1].
#include <sched.h>

#include <chiphost/kernel.h>

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto* log = chiphost::pointer_arg<uint64_t>(args, 0);
    auto* word = reinterpret_cast<uint32_t*>(log[0]);
    uint32_t before = 0;
    __atomic_compare_exchange_n(word, &before, 2, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != 1) sched_yield();
    log[1] = 99;
}
