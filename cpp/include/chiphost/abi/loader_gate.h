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
#pragma once

#include <limits.h>

#include "mailbox.h"
#include "thread_origins.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ch_loader_gate {
    uint32_t loading;  // threads inside
    uint32_t forking;  // forks under way: nobody enters
    // What the loader passes to constructors, for those who call constructors themselves: the program's arguments, in
    // the place where the system has put them. Behind them are its first environment and the auxiliary vector, and
    // there are those who look there (Go's start code). 0 and NULL where the C library passes none.
    uint64_t argument_count;
    char** arguments;
    // Where threads come from that libraries have made.
    ch_thread_origins* origins;
} ch_loader_gate;

// All who wait: several threads may fork at once, and several may want to load.
static inline void ch_loader_gate_wake(uint32_t* word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

// Waits for forks that are under way. Not to be entered again by the thread that is inside: a fork may have begun.
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

// The same for a moment, by a thread that may be inside already: waits for a fork that is under way at most so long.
// A fork waits for those inside, so it is not over before they leave if this thread is one of them.
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

static inline void ch_loader_gate_leave(ch_loader_gate* gate) {
    if (!gate) return;
    uint32_t inside = __atomic_load_n(&gate->loading, __ATOMIC_RELAXED);
    // 0 in a child that was forked from inside.
    while (inside != 0 &&
           !__atomic_compare_exchange_n(&gate->loading, &inside, inside - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    }
    if (inside == 1 && __atomic_load_n(&gate->forking, __ATOMIC_SEQ_CST)) ch_loader_gate_wake(&gate->loading);
}

// Before a fork: nobody enters any more, and those inside have left. 0: after timeout_ns somebody was still inside.
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

// After a fork, in the parent.
static inline void ch_loader_gate_open(ch_loader_gate* gate) {
    __atomic_sub_fetch(&gate->forking, 1, __ATOMIC_SEQ_CST);
    ch_loader_gate_wake(&gate->forking);
}

// After a fork, in the child: of the threads inside, none is here.
static inline void ch_loader_gate_reset(ch_loader_gate* gate) {
    __atomic_store_n(&gate->loading, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&gate->forking, 0, __ATOMIC_SEQ_CST);
}

#ifdef __cplusplus
}
#endif
