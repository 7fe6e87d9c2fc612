// SPDX-License-Identifier: Apache-2.0
//
// Which thread of an anchor a thread comes from: the one on which a library has made it, or has made the thread that
// has made it. For those who want to know whose code a thread runs.
//
// It is noted by the functions that isolated code is given for pthread_create. Both sides compile these functions
// themselves and share nothing but the memory: it works between namespaces. NULL stands for one in which nothing is
// noted, and so does one that is full.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CH_THREAD_ORIGINS_MAX 1024

typedef struct ch_thread_origins {
    uint64_t notes[CH_THREAD_ORIGINS_MAX];  // kernel's number of a thread; in the upper half, of its origin; 0: free
} ch_thread_origins;

static inline uint64_t* ch_thread_origins_find(ch_thread_origins* origins, int32_t thread) {
    if (!origins || thread == 0) return NULL;
    for (size_t i = 0; i < CH_THREAD_ORIGINS_MAX; ++i) {
        const uint64_t note = __atomic_load_n(&origins->notes[i], __ATOMIC_ACQUIRE);
        if ((uint32_t)note == (uint32_t)thread) return &origins->notes[i];
    }
    return NULL;
}

// 0 if nothing is known.
static inline int32_t ch_thread_origins_of(ch_thread_origins* origins, int32_t thread) {
    uint64_t* note = ch_thread_origins_find(origins, thread);
    return note ? (int32_t)(__atomic_load_n(note, __ATOMIC_ACQUIRE) >> 32) : 0;
}

// By the thread itself, as its first deed.
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

// By the thread itself, as its last.
static inline void ch_thread_origins_forget(ch_thread_origins* origins, int32_t thread) {
    uint64_t* note = ch_thread_origins_find(origins, thread);
    if (note) __atomic_store_n(note, 0, __ATOMIC_RELEASE);
}

// After a fork, in the child: of the threads that are noted, none is here.
static inline void ch_thread_origins_reset(ch_thread_origins* origins) {
    for (size_t i = 0; i < CH_THREAD_ORIGINS_MAX; ++i) {
        if (origins->notes[i]) __atomic_store_n(&origins->notes[i], 0, __ATOMIC_RELAXED);
    }
}

#ifdef __cplusplus
}
#endif
