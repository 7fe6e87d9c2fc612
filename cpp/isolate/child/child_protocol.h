// SPDX-License-Identifier: Apache-2.0
//
// The messages between a program and its child process, and the memory that they share for them.
//
// The parent posts a verb and waits until the child has answered it; the child does one thing at a time. A message and
// its answer are plain data in the arena, from its beginning; what they look like is the business of the verb. Each
// side may make the arena larger while it is its turn.
//
// Both look at a word of the control block for some 50 microseconds, then they sleep on a socket. So a quick answer
// needs no system call, and the end of the other side wakes the sleeper.
#pragma once

#include <sched.h>
#include <stddef.h>
#include <stdint.h>

#include "chiphost/abi/error.h"
#include "chiphost/abi/host_runtime.h"
#include "chiphost/abi/mailbox.h"
#include "code_samples.h"
#include "fault_text.h"
#include "stderr_tail.h"

namespace chiphost::isolate {

constexpr uint32_t child_magic = 0x44494843;  // "CHID"
constexpr uint32_t child_version = 8;         // the version of everything in this file, and of the messages

// The verbs that a parent may ask of its child. Numbers are never used again for something else.
enum class ChildVerb : uint32_t {
    hello = 1,  // the child's first answer: it is there and understands this version
    // Messages in worker/child_messages.h.
    open_runtime = 16,
    run = 17,
    finalize_device = 18,
    count = 19,
    load_runtime = 20,
    // Messages in isolate/child/library_messages.h.
    open_library = 32,
    find_symbol = 33,
    call_function = 34,
    close_library = 35,
    allocate_memory = 36,
    free_memory = 37,
    write_memory = 38,
    read_memory = 39,
};

constexpr size_t child_path_max = 4096;

// The record at the beginning of the shared memory. Fields without a remark are written before the child is started.
struct ChildControl {
    uint32_t magic;
    uint32_t version;
    uint32_t control_bytes;  // sizeof(ChildControl)
    uint32_t spin;           // 0: never look before sleeping, there is one processor only
    char temp_folder[child_path_max];

    // Written by the parent.
    alignas(64) uint32_t posted;  // number of verbs posted so far
    uint32_t parent_sleeps;       // 1: the parent sleeps on the socket
    uint32_t verb;                // ChildVerb

    // Written by the child.
    alignas(64) uint32_t completed;  // number of verbs answered so far
    uint32_t child_sleeps;
    int32_t code;    // the answer: CH_OK or what `error` says
    ch_error error;  // valid if `code` is not CH_OK

    // Written by both, one after the other.
    alignas(64) uint64_t arena_bytes;  // size of the arena; never shrinks

    // Written by both at the same time, atomically: see ch_run_progress.
    alignas(64) ch_run_progress progress;

    // Written by the child's thread that forwards stderr.
    alignas(64) StderrTail tail;

    // Written by the child's thread that crashes.
    alignas(64) FaultText fault;

    // Written by the child's threads that run something, when the parent asks where they are.
    alignas(64) CodeSamples samples;
};

// Exit code of a child that found a control block it does not understand.
constexpr int child_exit_version = 65;

// Looks at a word for a while; true as soon as it is not `old`.
inline bool look_for_change(const uint32_t* word, uint32_t old, uint64_t ns) {
    const uint64_t start = ch_monotonic_ns();
    do {
        for (int i = 0; i < 32; ++i) {
            if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != old) return true;
            ch_pause();
        }
        sched_yield();  // the other side may be waiting for this very processor
    } while (ch_monotonic_ns() - start < ns);
    return false;
}

// Changes a word and wakes the other side through the socket if it sleeps.
template <typename Wake>
void change(uint32_t* word, uint32_t value, const uint32_t* sleeps, Wake&& wake) {
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(sleeps, __ATOMIC_SEQ_CST)) wake();
}

}  // namespace chiphost::isolate
