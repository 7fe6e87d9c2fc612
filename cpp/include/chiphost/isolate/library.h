// SPDX-License-Identifier: Apache-2.0
//
// A shared library with globals, as often as wanted: every open gives an instance of its own.
//
//     auto library = isolate::Library::open("libsimulator.so");
//     auto step = library.function<double(int, isolate::In<double>, size_t)>("step");
//     double energy = step(3, forces, forces.size());
//
// The library's code runs on a thread that belongs to the instance, never on the caller's. Calls of one instance are
// made one after the other, those of different instances at the same time.
//
// With Strategy::process that thread is in a child process. Buffers and texts are copied there for the time of a call;
// the library must not keep their addresses. Its own addresses mean nothing here: they can only be given back to it.
// What an argument cannot describe, such as a structure with pointers to more, is built in memory of the library's own,
// with all strategies alike: Library::alloc.
// Whatever happens there is an error of the call here. The instance is poisoned then, for the globals are gone.
#pragma once

#include <memory>
#include <string>

#include "close_result.h"
#include "error.h"
#include "memory.h"
#include "signature.h"
#include "strategy.h"
#include "wait.h"

namespace chiphost::isolate {

class Instance;
template <typename Type>
class Function;

// Files that chiphost needs at run time: the anchor, the small library that every linker namespace begins with, and the
// program of child processes. Looked for next to this program, then where chiphost was installed or built.
std::string find_anchor(const char* installed);
std::string find_child(const char* installed);
#ifndef CHIPHOST_ISOLATE_ANCHOR  // said by chiphost's CMake package
#define CHIPHOST_ISOLATE_ANCHOR ""
#endif
#ifndef CHIPHOST_ISOLATE_CHILD
#define CHIPHOST_ISOLATE_CHILD ""
#endif
inline std::string default_anchor_path() {
    return find_anchor(CHIPHOST_ISOLATE_ANCHOR);
}
inline std::string default_child_path() {
    return find_child(CHIPHOST_ISOLATE_CHILD);
}

struct Options {
    Strategy strategy = Strategy::link_namespace;
    // Make a copy when no namespace is left, or no static TLS for the library in one; a process if that is so for
    // copies too, or all of them would share a symbol.
    bool fall_back_if_spent = false;
    // Bytes of the stack that its code runs on, at least; 0: as much as a program's first thread has (RLIMIT_STACK),
    // but 8 MiB to 1 GiB. CH_HOST_MEMORY_EXHAUSTED if there is no memory for it,
    // CH_THREAD_NOT_STARTED if the system lets this user have no further thread.
    uint64_t stack_bytes = 0;
    // Whether dlsym(RTLD_DEFAULT, name) finds the library's symbols, and those of what it needs, for whoever asks
    // beside it: for what it loads with dlopen, as well. Without it that finds the C and C++ libraries, and what the
    // asker itself was loaded with. CH_INVALID_ARGUMENT for a copy, which is in the program's own namespace.
    bool default_lookup = false;
    Timeout timeout = no_timeout;  // deadline of opening, of every call and of closing, unless the call has its own
    std::string anchor_path = default_anchor_path();  // needed for namespaces
    std::string child_path = default_child_path();    // needed for processes
};

// A function of an instance, by its name. Valid as long as the library is open; checked with every call.
struct Symbol {
    std::string name;
    void* address = nullptr;
};

// A handle. Copies of it are the same instance, which is closed when close() is called, or when the last copy and the
// last Function of it are gone. All members may be called from any thread, but only in the process that opened it.
// All throw Error: CH_FINALIZED after close(), CH_POISONED after a call that never returned or took the child process
// along, CH_WRONG_PROCESS in a child made by fork(). With Strategy::process also CH_PROCESS_DIED.
class Library {
public:
    // Loads an instance of the file. CH_FILE_UNREADABLE, CH_NOT_ELF, CH_FILE_TRUNCATED, CH_WRONG_ARCHITECTURE,
    // CH_LOAD_REFUSED; CH_NAMESPACES_SPENT; CH_STATIC_TLS_SPENT; CH_UNIQUE_SYMBOL and CH_VARIABLE_SHARED for a copy
    // that would not be apart; CH_PROCESS_NOT_STARTED.
    static Library open(const std::string& path, const Options& options = {});

    // A function with a C signature as a callable object; see function.h for what the type may have. Whether the
    // library's function really is of this type, nobody can check. CH_ENTRY_MISSING; CH_SIGNATURE_UNSUPPORTED for a
    // const char* that a process returns, which could not be read: use std::string.
    template <typename Type>
    Function<Type> function(const std::string& name) const;

    // The same for a signature that is known at run time only. CH_ENTRY_MISSING.
    Symbol find(const std::string& name) const;
    // Calls it with one argument for each parameter. CH_SIGNATURE_UNSUPPORTED, CH_FUNCTION_THREW; CH_DEADLINE_EXCEEDED
    // if it does not return in time: then the instance is poisoned and its thread left behind. What the arguments
    // point to is in use for ever. With Strategy::process nothing is left behind: the child is killed.
    Value call(const Symbol& symbol, const Signature& signature, const Argument* arguments) const;
    Value call(const Symbol& symbol, const Signature& signature, const Argument* arguments, Timeout timeout) const;

    // Memory in which the library may keep what it likes, all zero: see memory.h. CH_INVALID_ARGUMENT for 0 bytes,
    // CH_HOST_MEMORY_EXHAUSTED.
    Memory alloc(size_t bytes) const;

    // Unloads the library as far as it can be, and says how far that was. A second close gives the same result again.
    CloseResult close() const;

    Strategy strategy() const;
    bool fell_back() const;                      // to another strategy, as Options say
    const std::string& strategy_reason() const;  // why it is that: "asked for", or what stood in the way of another
    int process_id() const;                      // of the child it lives in; -1 without one, or when that has ended
    const std::string& path() const;
    bool poisoned() const;

private:
    void refuse_addresses(const std::string& function) const;
    explicit Library(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}

    std::shared_ptr<Instance> instance_;
};

}  // namespace chiphost::isolate

#include "function.h"
