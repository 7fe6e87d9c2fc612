// SPDX-License-Identifier: Apache-2.0
//
// The anchor: the first object of every linker namespace that chiphost opens.
//
// It keeps the namespace's libc and libstdc++ alive, owns every thread that enters the namespace, and holds the
// libraries that are loaded there. Its threads are made inside the namespace and never end: a thread that ends hands
// blocks of one libc's heap to another libc (docs/internals/namespaces.md). They park in the kernel between calls.
//
// This code, linked into the program itself, also serves libraries that are loaded as private copies.
//
// All functions but `create` have the form of a ch_call, so that a caller from another namespace can post them to the
// keeper thread.
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

#define CH_ANCHOR_MAJOR 3                  // version of ch_anchor
#define CH_ANCHOR_MINOR 2                  // its minor version
#define CH_ANCHOR_ENTRY "chiphost_anchor"  // exported: a ch_anchor_entry

// A posted call returns this if it let an exception out.
#define CH_ANCHOR_CALL_THREW (-1)

// A loaded library. Opaque.
typedef struct ch_library ch_library;

// The argument of `open_library`.
typedef struct ch_open_request {
    // The bytes; or, when data is NULL, name is the path of the file.
    ch_binary binary;
    // 0: load a private copy of the bytes. Copies of equal key are shared as long as the library has no writable
    // statics of its own; others get a copy each time. 1: load the file itself, by its path. It must not be loaded
    // under this path already.
    uint32_t in_place;
    // 1: no other copy is ever loaded in this process, so symbols that copies would share do not matter. Only the
    // anchor that is linked into the program may be asked so.
    uint32_t only_copy;
    ch_library** out_library;  // gets the library; `close_library` gives it back
} ch_open_request;

// The argument of `find_symbol`.
typedef struct ch_symbol_request {
    const ch_library* library;  // where to look
    const char* symbol;         // its name
    void** out_address;         // NULL if the library and its dependencies do not define the symbol
} ch_symbol_request;

// The argument of ch_anchor::ask: one of the two is NULL.
//
// Errors: an exception, which is let out.
// Threads: that of the anchor on which it is asked.
typedef struct ch_question {
    // A function of a library that takes nothing and returns a pointer.
    const void* (*pointer)(void);
    // A function of a library that takes nothing and returns a number.
    uint64_t (*number)(void);
} ch_question;

// The argument of `keep_if_running`.
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

// The functions of an anchor.
//
// state: what `create` has made.
// unused: NULL.
// Threads: those of the anchor, such as the keeper.
// Ownership: arguments are borrowed for the call.
// Errors: a function returns CH_OK or a code. Only `open_library` has a record for the text.
typedef struct ch_anchor {
    ch_abi_header header;  // of kind CH_ABI_ANCHOR

    // Makes the anchor's state, which lives as long as the process, and its first thread, the keeper. It is called
    // once, and uses system calls and pthread_create only.
    //
    // gate: the program's, which lives as long as the process; NULL: nothing is said to fork().
    // out_state: gets the state.
    // out_keeper: gets the keeper's mailbox.
    // Returns: 0, or the errno of what failed.
    // Threads: any, of any namespace.
    // Errors: see Returns.
    int32_t (*create)(ch_loader_gate* gate, void** out_state, ch_mailbox** out_keeper);

    // Lends a parked thread, making one if none is free.
    //
    // stack_bytes: a const uint64_t*, the least bytes of its stack; NULL for the usual ones.
    // out_mailbox: a ch_mailbox**. The thread is the caller's until `return_thread`.
    // Errors: CH_THREAD_NOT_STARTED, CH_HOST_MEMORY_EXHAUSTED.
    int32_t (*lease_thread)(void* state, const void* stack_bytes, void* out_mailbox);

    // Gives a thread back. What code has done to the thread was put back at the end of its last call (`call_function`,
    // `find_symbol` and ch_mailbox::same_user excepted); if that was not possible, nobody gets the thread any more.
    //
    // mailbox: the thread's ch_mailbox*; it must not have a call under way.
    // Errors: none.
    int32_t (*return_thread)(void* state, const void* mailbox, void* unused);

    // Loads a library.
    //
    // request: a const ch_open_request*.
    // out_error: a ch_error*.
    // Errors: CH_FILE_UNREADABLE, CH_NOT_ELF, CH_FILE_TRUNCATED, CH_WRONG_ARCHITECTURE, CH_LOAD_REFUSED,
    // CH_STATIC_TLS_SPENT, CH_HOST_MEMORY_EXHAUSTED; CH_UNIQUE_SYMBOL and CH_VARIABLE_SHARED if copies would not be
    // apart.
    int32_t (*open_library)(void* state, const void* request, void* out_error);

    // Looks a symbol up.
    //
    // request: a const ch_symbol_request*.
    // Errors: CH_HOST_MEMORY_EXHAUSTED; that there is no such symbol is none.
    int32_t (*find_symbol)(void* state, const void* request, void* unused);

    // Gives a library back. Shared ones stay loaded for the next user, up to a fixed number; others are unloaded.
    //
    // library: the ch_library*.
    // out_unloaded: NULL, or a uint32_t* that becomes 1 if nothing of the library is left, and 0 if it is kept, or
    // pinned: a thread_local with a destructor keeps it as long as the thread that has used it.
    int32_t (*close_library)(void* state, const void* library, void* out_unloaded);

    // Counts what the anchor has.
    //
    // out_counts: a ch_anchor_counts*.
    // Errors: none.
    int32_t (*count)(void* state, const void* unused, void* out_counts);

    // Calls a function of a library that takes nothing.
    //
    // question: a const ch_question*.
    // out_answer: a uint64_t*.
    // Errors: an exception of the function is let out, for the thread to catch: CH_ANCHOR_CALL_THREW.
    int32_t (*ask)(void* state, const void* question, void* out_answer);

    // Calls a function of a library.
    //
    // frame: a const ch_call_frame*.
    // out_outcome: a ch_call_outcome*.
    // Errors: CH_FUNCTION_THREW.
    int32_t (*call_function)(void* state, const void* frame, void* out_outcome);

    // Unloads libraries that nobody uses.
    //
    // key: a const char*: those that were opened with this ch_binary::key; NULL: all.
    int32_t (*flush)(void* state, const void* key, void* unused);

    // Tells when the last of those threads began that libraries have made and that still live: it may run what was
    // loaded before. Threads are known by name and blocked signals, which they inherit: one that took others of both is
    // missed.
    //
    // out_time_ns: a uint64_t*, in ns of the clock that ch_keep_request has; 0 if there is no such thread.
    int32_t (*last_foreign_thread)(void* state, const void* unused, void* out_time_ns);

    // Gives the gate that `create` was given, for those who load libraries themselves.
    //
    // out_gate: a ch_loader_gate**; may become NULL.
    // Errors: none.
    int32_t (*loader_gate)(void* state, const void* unused, void* out_gate);

    // Gives the mark of this process, for those who call code of others many times; see ch_anchor_fork_mark.
    //
    // out_mark: a const ch_fork_mark**; may become NULL.
    // Errors: none.
    int32_t (*fork_mark)(void* state, const void* unused, void* out_mark);

    // Takes a reference of its own to a library if a thread may still run its code, and gives it back when none may.
    // Those who load libraries themselves call it before they close one.
    //
    // request: a const ch_keep_request*.
    // out_kept: a uint32_t* that becomes 1 if the library is kept, else 0.
    int32_t (*keep_if_running)(void* state, const void* request, void* out_kept);

    // Makes a library one of this anchor as far as it needs to be told, so that what it does about signals and
    // processes is seen to. Those who load libraries themselves call it before any code of one runs.
    //
    // handle: dlopen's.
    // Errors: none.
    int32_t (*adopt)(void* state, const void* handle, void* unused);

    // Says whether dlsym(RTLD_DEFAULT, ...) of code in this namespace finds the symbols of a library, and of what it
    // needs, whenever it is loaded there. Without a call it does not.
    //
    // path: a const char*: the path as `open_library` is given it.
    // shown: a const uint32_t*: 1 or 0.
    int32_t (*show_library)(void* state, const void* path, void* shown);
} ch_anchor;

// The function that an anchor exports as CH_ANCHOR_ENTRY.
//
// Returns: the table, constant data of the anchor.
// Threads: any.
// Errors: none.
typedef const ch_anchor* (*ch_anchor_entry)(void);

// Gives the mark of an anchor's process.
//
// state: the anchor's.
// Returns: NULL where there is none.
// Threads: any of the anchor's namespace.
// Ownership: the mark lives as long as the process.
// Errors: none.
static inline const ch_fork_mark* ch_anchor_fork_mark(const ch_anchor* anchor, void* state) {
    const ch_fork_mark* mark = NULL;
    anchor->fork_mark(state, NULL, &mark);
    return mark;
}

#ifdef __cplusplus
}
#endif
