// SPDX-License-Identifier: Apache-2.0
//
// Tells which thread of an anchor a thread comes from: the one on which a library has made it, or has made the thread
// that has made it. So one knows whose code a thread runs.
//
// It is noted by the functions that isolated code is given for pthread_create. Both sides compile these functions
// themselves and share nothing but the memory: it works between namespaces. NULL stands for a table in which nothing is
// noted, and so does one that is full.
//
// origins: the table, or NULL.
// Threads: any, unless a function says otherwise; the words of the table are atomic.
// Errors: none.
// Ownership: the table is the program's, and lives as long as the process.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CH_THREAD_ORIGINS_MAX 1024  // most threads that are noted at the same time

// The table of threads.
typedef struct ch_thread_origins {
    uint64_t notes[CH_THREAD_ORIGINS_MAX];  // kernel's number of a thread; in the upper half, of its origin; 0: free
} ch_thread_origins;

// Finds the note of a thread.
//
// thread: the kernel's number of it.
// Returns: NULL if there is none.
static inline uint64_t* ch_thread_origins_find(ch_thread_origins* origins, int32_t thread) {
    if (!origins || thread == 0) return NULL;
    for (size_t i = 0; i < CH_THREAD_ORIGINS_MAX; ++i) {
        const uint64_t note = __atomic_load_n(&origins->notes[i], __ATOMIC_ACQUIRE);
        if ((uint32_t)note == (uint32_t)thread) return &origins->notes[i];
    }
    return NULL;
}

// Tells where a thread comes from.
//
// thread: the kernel's number of it.
// Returns: the kernel's number of the anchor's thread; 0 if nothing is known.
static inline int32_t ch_thread_origins_of(ch_thread_origins* origins, int32_t thread) {
    uint64_t* note = ch_thread_origins_find(origins, thread);
    return note ? (int32_t)(__atomic_load_n(note, __ATOMIC_ACQUIRE) >> 32) : 0;
}

// Notes where a thread comes from. Nothing is noted in a table that is full.
//
// thread: the kernel's number of it.
// origin: that of the anchor's thread.
// Threads: the thread itself, before anything else that it does.
static inline void ch_thread_origins_note(ch_thread_origins* origins, int32_t thread, int32_t origin) {
    if (!origins) return;
    const uint64_t wanted = (uint64_t)(uint32_t)origin << 32 | (uint32_t)thread;
    uint64_t* note = ch_thread_origins_find(origins, thread);  // of one that had the number and did not say goodbye
    if (note) {
        __atomic_store_n(note, wanted, __ATOMIC_RELEASE);
        return;
    }
    for (size_t i = 0; i < CH_THREAD_ORIGINS_MAX; ++i) {
        uint64_t nothing = 0;
        if (__atomic_compare_exchange_n(&origins->notes[i], &nothing, wanted, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
            return;
        }
    }
}

// Forgets a thread.
//
// thread: the kernel's number of it.
// Threads: the thread itself, after everything else that it does.
static inline void ch_thread_origins_forget(ch_thread_origins* origins, int32_t thread) {
    uint64_t* note = ch_thread_origins_find(origins, thread);
    if (note) __atomic_store_n(note, 0, __ATOMIC_RELEASE);
}

// Forgets all threads: none of them is in the child of a fork.
//
// Threads: the only one of the child, after the fork.
static inline void ch_thread_origins_reset(ch_thread_origins* origins) {
    for (size_t i = 0; i < CH_THREAD_ORIGINS_MAX; ++i) {
        if (origins->notes[i]) __atomic_store_n(&origins->notes[i], 0, __ATOMIC_RELAXED);
    }
}

#ifdef __cplusplus
}
#endif
