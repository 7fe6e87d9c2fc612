// SPDX-License-Identifier: Apache-2.0
//
// The anchor: the first object of every linker namespace that chiphost opens.
//
// It keeps the namespace's libc and libstdc++ alive, owns every thread that enters the namespace, and holds the
// libraries that are loaded there. Its threads are made inside the namespace and never end: a thread that ends hands
// blocks of one libc's heap to another libc (docs/internals/namespaces.md). They park in the kernel between calls.
//
// The same code, linked into the program itself, serves libraries that are loaded as private copies.
//
// Except for `create`, every function runs on a thread of the anchor. All but `create` and `count` have the form of a
// ch_call, so that a caller from another namespace can post them to the keeper thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "call_frame.h"
#include "callable.h"
#include "error.h"
#include "fork_mark.h"
#include "header.h"
#include "loader_gate.h"
#include "mailbox.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CH_ANCHOR_MAJOR 3
#define CH_ANCHOR_MINOR 2
#define CH_ANCHOR_ENTRY "chiphost_anchor"

// What a posted call returns that let an exception out.
#define CH_ANCHOR_CALL_THREW (-1)

// A loaded library. Opaque.
typedef struct ch_library ch_library;

// For open_library.
typedef struct ch_open_request {
    // The bytes; or, when data is NULL, name is the path of the file.
    ch_binary binary;
    // 0: load a private copy of the bytes. Copies of equal key are shared as long as the library has no writable
    // statics of its own; others get a copy each time. CH_UNIQUE_SYMBOL or
    // CH_VARIABLE_SHARED if copies would not be apart. 1: load the file
    // itself, by its path. It must not be loaded under this path already.
    uint32_t in_place;
    // 1: no other copy is ever loaded in this process, so symbols that copies would share do not matter. For the
    // anchor that is linked into the program only.
    uint32_t only_copy;
    ch_library** out_library;
} ch_open_request;

// For find_symbol.
typedef struct ch_symbol_request {
    const ch_library* library;
    const char* symbol;
    void** out_address;  // NULL if the library and its dependencies do not define the symbol
} ch_symbol_request;

// For ask: a function of a library that takes nothing and returns something to know. One of the two is NULL.
typedef struct ch_question {
    const void* (*pointer)(void);
    uint64_t (*number)(void);
} ch_question;

// For keep_if_running.
typedef struct ch_keep_request {
    void* handle;           // of dlopen
    uint64_t loaded_at_ns;  // CLOCK_BOOTTIME before it was loaded
} ch_keep_request;

// Numbers for tests and `chiphost doctor`.
typedef struct ch_anchor_counts {
    uint64_t threads;         // made so far; they live as long as the process
    uint64_t threads_free;    // parked and not lent
    uint64_t libraries;       // loaded now
    uint64_t libraries_idle;  // of these, kept for the next user
    uint64_t loads;           // dlopen calls so far
    uint64_t pinned;          // closed so far, but not unloaded by the loader
    uint64_t kept;            // closed, and still loaded for the sake of a thread or a signal handler that they left
} ch_anchor_counts;

typedef struct ch_anchor {
    ch_abi_header header;

    // Makes the anchor's state, which lives as long as the process, and its first thread, the keeper. Called once. Uses
    // system calls and pthread_create only: it runs on a thread of another namespace. `gate` is the program's, and
    // lives as long as the process; NULL: nothing is said to fork(). 0, or the errno of what failed.
    int32_t (*create)(ch_loader_gate* gate, void** out_state, ch_mailbox** out_keeper);

    // Lends a parked thread, making one if none is free. `second` is a uint64_t, the least bytes of its stack, or NULL
    // for the usual ones; `third` a ch_mailbox**.
    int32_t (*lease_thread)(void* state, const void* stack_bytes, void* out_mailbox);

    // Gives a thread back; it must not have a call under way. `second` is its ch_mailbox. What code has done to the
    // thread was put back at the end of its last call (call_function, find_symbol and `same_user` excepted); if that
    // was not possible, nobody gets the thread any more.
    int32_t (*return_thread)(void* state, const void* mailbox, void* unused);

    // Loads a library. `second` is a ch_open_request, `third` a ch_error.
    int32_t (*open_library)(void* state, const void* request, void* out_error);

    // Looks a symbol up. `second` is a ch_symbol_request.
    int32_t (*find_symbol)(void* state, const void* request, void* unused);

    // Gives a library back. Shared ones stay loaded for the next user, up to a fixed number; others are unloaded.
    // `second` is the ch_library; `third` may be a uint32_t* that becomes 1 if nothing of the library is left, and 0 if
    // it is kept, or pinned: a thread_local with a destructor keeps it as long as the thread that has used it.
    int32_t (*close_library)(void* state, const void* library, void* out_unloaded);

    // `third` is a ch_anchor_counts.
    int32_t (*count)(void* state, const void* unused, void* out_counts);

    // Calls the function of a ch_question, `second`; `third` is a uint64_t* for the answer. An exception of the
    // function is let out, for the thread to catch (CH_ANCHOR_CALL_THREW).
    int32_t (*ask)(void* state, const void* question, void* out_answer);
    // Calls a function of a library. `second` is a ch_call_frame, `third` a ch_call_outcome. CH_OK, or
    // CH_FUNCTION_THREW.
    int32_t (*call_function)(void* state, const void* frame, void* out_outcome);
    // Unloads libraries that nobody uses: those that were opened with this key (`second`, a string), or all if it is
    // NULL.
    int32_t (*flush)(void* state, const void* key, void* unused);

    // When the last of those threads began that libraries have made and that still live, in ns of the clock that
    // ch_keep_request has; 0 without one. What was loaded before may be run by it. Threads are known by name and
    // blocked signals, which they inherit: one that took others of both is missed. `third` is a uint64_t.
    int32_t (*last_foreign_thread)(void* state, const void* unused, void* out_time_ns);

    // The gate that `create` was given, for those who load libraries themselves. `third` is a ch_loader_gate**.
    int32_t (*loader_gate)(void* state, const void* unused, void* out_gate);

    // The mark of this process, for those who call code of others many times; see ch_anchor_fork_mark. `third` is a
    // const ch_fork_mark**.
    int32_t (*fork_mark)(void* state, const void* unused, void* out_mark);

    // For those who load libraries themselves, before they close one: takes a reference of its own to it if a thread
    // may still run its code, and gives it back when none may. `second` is a ch_keep_request, `third` a uint32_t* that
    // becomes 1 if it is kept.
    int32_t (*keep_if_running)(void* state, const void* request, void* out_kept);

    // For those who load libraries themselves, before any code of one runs: makes it a library of this anchor as far as
    // it needs to be told, so that what it does about signals and processes is seen to. `second` is dlopen's handle.
    int32_t (*adopt)(void* state, const void* handle, void* unused);

    // In a namespace: whether dlsym(RTLD_DEFAULT, ...) of its code finds the symbols of the library with this path, and
    // of what it needs, whenever it is loaded there. `second` is the path as open_library is given it; `third` a
    // uint32_t, 1 or 0. Without a call it does not.
    int32_t (*show_library)(void* state, const void* path, void* shown);
} ch_anchor;

typedef const ch_anchor* (*ch_anchor_entry)(void);

// The mark of an anchor's process, NULL where there is none.
static inline const ch_fork_mark* ch_anchor_fork_mark(const ch_anchor* anchor, void* state) {
    const ch_fork_mark* mark = NULL;
    anchor->fork_mark(state, NULL, &mark);
    return mark;
}

#ifdef __cplusplus
}
#endif
