// SPDX-License-Identifier: Apache-2.0
//
// The mailbox of a thread: how a call gets to a thread of another linker namespace and its result back.
//
// Both sides compile these functions themselves and share nothing but the memory of the mailbox: atomics and the futex
// system call mean the same in every namespace.
//
// Each side looks for a short while before it sleeps. Waking a thread costs some 60 microseconds on a small virtual
// machine, looking finds the other side within one; so looking for as long as a wake-up costs is never more than twice
// as slow as the better choice, and an idle thread uses no time after that. It yields between looks: a kernel often
// puts both threads on one processor at first, where looking alone made every call wait its whole 50 microseconds.
//
// mailbox: of the thread that is called.
// Threads: one caller at a time, and the mailbox's own thread. Who has posted a call must wait until it has returned
// before the next is posted.
// Ownership: the mailbox is the anchor's, and lives as long as the process.
// Errors: none.
#pragma once

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

// The form of the calls that cross: three pointers in, a code out.
//
// first: what the function works on.
// second: what it is given.
// third: what it fills.
// Returns: what the function says, such as CH_OK or a code.
// Threads: the mailbox's own.
// Ownership: everything is borrowed until the call has returned.
typedef int32_t (*ch_call)(void* first, const void* second, void* third);

// The mailbox of one thread. The first cache line is written by the caller, the second one by the thread.
typedef struct ch_mailbox {
    uint32_t posted;         // number of calls posted so far; the thread sleeps on it
    uint32_t caller_sleeps;  // 1: the caller sleeps on `completed`
    ch_call call;            // the function to be called
    void* first;             // its first argument
    const void* second;      // the second
    void* third;             // the third
    uint32_t same_user;      // 1: whoever calls next is the same; of the thread's state only what is quick is put back
    uint32_t reserved[5];    // 0
    // Here the thread's own cache line begins.
    uint32_t completed;        // number of calls that have returned; the caller sleeps on it
    uint32_t thread_sleeps;    // 1: the thread sleeps on `posted`
    int32_t code;              // what the last call returned
    int32_t system_id;         // kernel's id of the thread (gettid)
    uint32_t spin;             // 0: never look before sleeping, there is one processor only
    uint32_t spoiled;          // 1: what code has done to the thread cannot be undone; it must not be lent again
    uint64_t stack_bytes;      // of the thread, as it was asked for
    uint32_t reserved_too[8];  // 0
} ch_mailbox;

#define CH_MAILBOX_LOOK_NS 50000        // how long a side looks before it sleeps
#define CH_MAILBOX_FOR_EVER UINT64_MAX  // a timeout that never comes

// Gives the time of CLOCK_MONOTONIC in nanoseconds.
//
// Threads: any.
static inline uint64_t ch_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// Tells the processor that this thread is looking again and again.
//
// Threads: any.
static inline void ch_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Sleeps while a word has a value. It may return early at any time.
//
// word: in memory of this process.
// value: what the word is while nothing has happened.
// timeout_ns: most that it sleeps, or CH_MAILBOX_FOR_EVER.
// Threads: any.
static inline void ch_futex_wait(uint32_t* word, uint32_t value, uint64_t timeout_ns) {
    struct timespec timeout;
    timeout.tv_sec = (time_t)(timeout_ns / 1000000000u);
    timeout.tv_nsec = (long)(timeout_ns % 1000000000u);
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout_ns == CH_MAILBOX_FOR_EVER ? NULL : &timeout, NULL, 0);
}

// Wakes one thread that sleeps on a word.
//
// word: what that thread has given to ch_futex_wait.
// Threads: any.
static inline void ch_futex_wake(uint32_t* word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

// Waits until a word changes.
//
// word: written by the other side, by ch_change.
// old: what it is before the change.
// sleeps: set while this side sleeps, so that the other one wakes it.
// look: 0: sleep at once.
// timeout_ns: most that it waits, or CH_MAILBOX_FOR_EVER.
// Returns: 1; 0 if the word has not changed in time.
// Threads: one for each word.
static inline int ch_wait_for_change(uint32_t* word, uint32_t old, uint32_t* sleeps, int look, uint64_t timeout_ns) {
    const uint64_t start = ch_monotonic_ns();
    if (look) {
        const uint64_t end = timeout_ns < CH_MAILBOX_LOOK_NS ? timeout_ns : CH_MAILBOX_LOOK_NS;
        do {
            for (int i = 0; i < 32; ++i) {
                if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != old) return 1;
                ch_pause();
            }
            sched_yield();  // the other side may be waiting for this very processor
        } while (ch_monotonic_ns() - start < end);
    }
    for (;;) {
        // The store must be visible before the load: the other side stores the word, then loads `sleeps`.
        __atomic_store_n(sleeps, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != old) break;
        uint64_t left = CH_MAILBOX_FOR_EVER;
        if (timeout_ns != CH_MAILBOX_FOR_EVER) {
            const uint64_t elapsed = ch_monotonic_ns() - start;
            if (elapsed >= timeout_ns) {
                __atomic_store_n(sleeps, 0, __ATOMIC_RELAXED);
                return 0;
            }
            left = timeout_ns - elapsed;
        }
        ch_futex_wait(word, old, left);
    }
    __atomic_store_n(sleeps, 0, __ATOMIC_RELAXED);
    return 1;
}

// Changes a word, and wakes the other side if it sleeps.
//
// word: written by this side only.
// value: what it becomes.
// sleeps: set by the other side while it sleeps.
// Threads: one for each word.
static inline void ch_change(uint32_t* word, uint32_t value, uint32_t* sleeps) {
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(sleeps, __ATOMIC_SEQ_CST)) ch_futex_wake(word);
}

// Hands a call to the thread, and returns at once.
//
// call: called with `first`, `second` and `third`, which must live until it has returned.
// Threads: the caller.
static inline void ch_mailbox_post(ch_mailbox* mailbox, ch_call call, void* first, const void* second, void* third) {
    mailbox->call = call;
    mailbox->first = first;
    mailbox->second = second;
    mailbox->third = third;
    ch_change(&mailbox->posted, mailbox->posted + 1, &mailbox->thread_sleeps);
}

// Waits until the call has returned.
//
// timeout_ns: most that it waits, or CH_MAILBOX_FOR_EVER.
// out_code: gets what the call has returned.
// Returns: 1; 0 if the call has not returned in time. Then it may be waited for again.
// Threads: the caller.
static inline int ch_mailbox_wait(ch_mailbox* mailbox, uint64_t timeout_ns, int32_t* out_code) {
    const uint32_t before = mailbox->posted - 1;
    if (!ch_wait_for_change(&mailbox->completed, before, &mailbox->caller_sleeps, (int)mailbox->spin, timeout_ns)) {
        return 0;
    }
    *out_code = mailbox->code;
    return 1;
}

// Posts a call and waits for its result, however long it takes.
//
// call: called with `first`, `second` and `third`.
// Returns: what the call has returned.
// Threads: the caller.
static inline int32_t ch_mailbox_call(ch_mailbox* mailbox, ch_call call, void* first, const void* second, void* third) {
    int32_t code = 0;
    ch_mailbox_post(mailbox, call, first, second, third);
    ch_mailbox_wait(mailbox, CH_MAILBOX_FOR_EVER, &code);
    return code;
}

// Waits for a call.
//
// served: number of calls that have returned so far.
// Threads: the mailbox's own.
static inline void ch_mailbox_await(ch_mailbox* mailbox, uint32_t served) {
    ch_wait_for_change(&mailbox->posted, served, &mailbox->thread_sleeps, (int)mailbox->spin, CH_MAILBOX_FOR_EVER);
}

// Says that a call has returned.
//
// served: number of calls that had returned before.
// code: what this one has returned.
// Threads: the mailbox's own.
static inline void ch_mailbox_complete(ch_mailbox* mailbox, uint32_t served, int32_t code) {
    mailbox->code = code;
    ch_change(&mailbox->completed, served + 1, &mailbox->caller_sleeps);
}

#ifdef __cplusplus
}
static_assert(sizeof(ch_mailbox) == 128, "ch_mailbox is part of the ABI");
#endif
