// SPDX-License-Identifier: Apache-2.0
//
// Tells a process that it is the copy that a kernel, an orchestration or a library has made of this one with fork(),
// for the price of reading a word.
//
// Such a copy comes back from the code that made it, as the process itself does. Nobody waits for its answer: it must
// neither give one nor go on, and ends where it is noticed. A copy that vfork() has made shares the memory, and so this
// word: whoever serves calls asks for its process id, too, before it answers.
//
// Both sides compile these functions themselves and share nothing but the memory of the mark: as a mailbox, it works
// between namespaces. NULL stands for a system that has no such memory (Linux before 4.14).
//
// Errors: none.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

// A word that the kernel zeroes in every copy of the process.
typedef struct ch_fork_mark {
    uint32_t original;  // 0 in a copy of the process
} ch_fork_mark;

// Makes a mark, by system calls only.
//
// Returns: NULL if there is none to be had.
// Ownership: nobody's; it lives as long as the process.
// Threads: any, also one of another namespace.
static inline ch_fork_mark* ch_fork_mark_create(void) {
#ifdef MADV_WIPEONFORK
    const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    if (madvise(memory, bytes, MADV_WIPEONFORK) != 0) {
        munmap(memory, bytes);
        return NULL;
    }
    ch_fork_mark* mark = (ch_fork_mark*)memory;
    mark->original = 1;
    return mark;
#else
    return NULL;
#endif
}

// Ends the process if it is a copy of the one that made the mark. Nothing that is registered for its end is called and
// no stream is flushed: all that is the original's.
//
// mark: NULL does nothing.
// Threads: any, also one of another namespace.
static inline void ch_end_copy(const ch_fork_mark* mark) {
    if (mark && __atomic_load_n(&mark->original, __ATOMIC_RELAXED) == 0) _exit(0);
}

#ifdef __cplusplus
}
#endif
