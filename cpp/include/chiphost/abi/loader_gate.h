// SPDX-License-Identifier: Apache-2.0
//
// Keeps fork() and the dynamic loader apart.
//
// glibc has one lock for the list of loaded objects, for all namespaces, that fork() does not make anew in the child:
// _dl_load_write_lock. If any thread holds it at the fork, the child's first dlopen waits for ever
// (docs/internals/namespaces.md, H14). So whoever loads, unloads or walks the list enters the program's gate for that
// moment, and a fork waits until nobody is inside.
//
// Both sides compile these functions themselves and share nothing but the memory of the gate: as a mailbox, it works
// between namespaces. NULL stands for a gate that nobody closes.
//
// gate: NULL does nothing.
// Threads: any, of any namespace, unless a function says otherwise.
// Errors: none.
// Ownership: the gate is the program's, and lives as long as the process.
#pragma once

#include <limits.h>

#include "mailbox.h"
#include "thread_origins.h"

#ifdef __cplusplus
extern "C" {
#endif

// The gate of a program.
typedef struct ch_loader_gate {
    uint32_t loading;  // threads inside
    uint32_t forking;  // forks under way: nobody enters
    // The number of arguments that the program was given; 0 where the C library passes none to constructors.
    uint64_t argument_count;
    // The loader passes this to constructors, and so do those who call constructors themselves: the program's
    // arguments, in the place where the system has put them. Behind them are its first environment and the auxiliary
    // vector, and some code looks there (Go's start code). NULL where the C library passes none.
    char** arguments;
    // Tells where threads come from that libraries have made.
    ch_thread_origins* origins;
} ch_loader_gate;

// Wakes all who wait: several threads may fork at once, and several may want to load.
//
// word: `loading` or `forking` of a gate.
static inline void ch_loader_gate_wake(uint32_t* word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

// Enters the gate: waits for forks that are under way.
//
// Threads: any that is not inside; a second fork may have begun, which waits for the thread to leave.
static inline void ch_loader_gate_enter(ch_loader_gate* gate) {
    if (!gate) return;
    for (;;) {
        // Either the fork sees this thread inside, or this thread sees the fork.
        __atomic_add_fetch(&gate->loading, 1, __ATOMIC_SEQ_CST);
        const uint32_t forking = __atomic_load_n(&gate->forking, __ATOMIC_SEQ_CST);
        if (forking == 0) return;
        if (__atomic_sub_fetch(&gate->loading, 1, __ATOMIC_SEQ_CST) == 0) ch_loader_gate_wake(&gate->loading);
        ch_futex_wait(&gate->forking, forking, CH_MAILBOX_FOR_EVER);
    }
}

// Enters the gate for a moment, on a thread that may be inside already. A fork waits for those inside, so it is not
// over before they leave if this thread is one of them: the wait has an end.
//
// timeout_ns: most that it waits for a fork that is under way; then it enters all the same.
static inline void ch_loader_gate_enter_again(ch_loader_gate* gate, uint64_t timeout_ns) {
    if (!gate) return;
    const uint64_t start = ch_monotonic_ns();
    for (;;) {
        __atomic_add_fetch(&gate->loading, 1, __ATOMIC_SEQ_CST);
        const uint32_t forking = __atomic_load_n(&gate->forking, __ATOMIC_SEQ_CST);
        const uint64_t elapsed = ch_monotonic_ns() - start;
        if (forking == 0 || elapsed >= timeout_ns) return;
        if (__atomic_sub_fetch(&gate->loading, 1, __ATOMIC_SEQ_CST) == 0) ch_loader_gate_wake(&gate->loading);
        ch_futex_wait(&gate->forking, forking, timeout_ns - elapsed);
    }
}

// Leaves the gate; a call for every one that entered.
static inline void ch_loader_gate_leave(ch_loader_gate* gate) {
    if (!gate) return;
    uint32_t inside = __atomic_load_n(&gate->loading, __ATOMIC_RELAXED);
    // 0 in a child that was forked from inside.
    while (inside != 0 &&
           !__atomic_compare_exchange_n(&gate->loading, &inside, inside - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    }
    if (inside == 1 && __atomic_load_n(&gate->forking, __ATOMIC_SEQ_CST)) ch_loader_gate_wake(&gate->loading);
}

// Closes the gate before a fork: nobody enters any more, and those inside have left.
//
// gate: not NULL.
// timeout_ns: most that it waits for those inside.
// Returns: 1; 0 if somebody was still inside. The gate is closed in both cases.
// Threads: one that is not inside.
static inline int ch_loader_gate_close(ch_loader_gate* gate, uint64_t timeout_ns) {
    const uint64_t start = ch_monotonic_ns();
    __atomic_add_fetch(&gate->forking, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        const uint32_t inside = __atomic_load_n(&gate->loading, __ATOMIC_SEQ_CST);
        const uint64_t elapsed = ch_monotonic_ns() - start;
        if (inside == 0) return 1;
        if (elapsed >= timeout_ns) return 0;
        ch_futex_wait(&gate->loading, inside, timeout_ns - elapsed);
    }
}

// Opens the gate after a fork, in the parent.
//
// gate: what ch_loader_gate_close was given.
static inline void ch_loader_gate_open(ch_loader_gate* gate) {
    __atomic_sub_fetch(&gate->forking, 1, __ATOMIC_SEQ_CST);
    ch_loader_gate_wake(&gate->forking);
}

// Makes the gate anew after a fork, in the child, where none of the threads inside exists.
//
// gate: not NULL.
// Threads: the only one of the child.
static inline void ch_loader_gate_reset(ch_loader_gate* gate) {
    __atomic_store_n(&gate->loading, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&gate->forking, 0, __ATOMIC_SEQ_CST);
}

#ifdef __cplusplus
}
#endif
