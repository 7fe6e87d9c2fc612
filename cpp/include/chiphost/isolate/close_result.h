// SPDX-License-Identifier: Apache-2.0
//
// The outcome of closing a library: what it came to, and what is left.
//
// Threads: any.
// Errors: none.
#pragma once

#include <string>
#include <vector>

namespace chiphost::isolate {

// Says what became of a library that was closed.
enum class CloseState {
    unloaded,  // nothing of it is left, nor of the libraries it brought along
    kept,      // it was not unloaded on purpose: something of it is still running
    pinned,    // the dynamic loader does not let go of it, or of a library it brought along
};

// Gives the name of a state: "unloaded", "kept", "pinned".
//
// Ownership: the text is constant.
const char* close_state_name(CloseState state);

// Says why something is left.
enum class PinCause {
    unique_symbol,            // it defines the symbol `what` as STB_GNU_UNIQUE; compile with -fno-gnu-unique
    no_delete,                // it is marked DF_1_NODELETE (linked with -z nodelete)
    thread_local_destructor,  // it registers destructors of thread_local variables, and the library's thread lives on
    needed_by,                // the object `what` needs it, and is still loaded
    opened_elsewhere,         // somebody has it open: the library itself with dlopen, or the program
    running_thread,           // the thread named `what`, which it started, still runs
    running_call,             // a call of the function `what` has never returned
    unknown_threads,          // this process's threads cannot be listed, so one of the library's may run
};

// Gives the name of a cause, such as "unique symbol" or "thread_local with a destructor".
//
// Ownership: the text is constant.
const char* pin_cause_name(PinCause cause);

// Something that is left of a library.
struct Pin {
    PinCause cause;      // why it is left
    std::string object;  // path of what is left
    std::string what;    // a symbol, an object, a thread, a function; may be empty
};

// The outcome of closing a library.
struct CloseResult {
    CloseState state = CloseState::unloaded;  // of the library and what it brought along
    std::vector<Pin> pins;                    // empty if unloaded
    bool namespace_recycled = false;          // the next open may have its linker namespace; otherwise that stays spent

    // Gives all of it in a line, for people.
    std::string text() const;
};

}  // namespace chiphost::isolate
