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
// Whatever happens to the child is an error of the call here. The instance is poisoned then, for the globals are gone.
//
// A structure with pointers to more, and whatever else an argument cannot describe, is built in memory of the library's
// own, with all strategies alike: Library::alloc.
//
// Threads: any.
// Errors: none, but for those of Library.
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

// Finds the anchor, the small library that every linker namespace begins with: next to this program, then where
// chiphost was installed or built.
//
// installed: the path where it was installed; "" if that is not known.
// Returns: its path.
std::string find_anchor(const char* installed);
// Finds the program of child processes, as `find_anchor` does.
//
// installed: the path where it was installed; "" if that is not known.
// Returns: its path.
std::string find_child(const char* installed);
#ifndef CHIPHOST_ISOLATE_ANCHOR
// The path of the installed anchor. chiphost's CMake package defines it.
#define CHIPHOST_ISOLATE_ANCHOR ""
#endif
#ifndef CHIPHOST_ISOLATE_CHILD
// The path of the installed program of child processes. chiphost's CMake package defines it.
#define CHIPHOST_ISOLATE_CHILD ""
#endif
// Finds the anchor that came with the CMake package.
inline std::string default_anchor_path() {
    return find_anchor(CHIPHOST_ISOLATE_ANCHOR);
}
// Finds the program of child processes that came with the CMake package.
inline std::string default_child_path() {
    return find_child(CHIPHOST_ISOLATE_CHILD);
}

// The options of opening a library.
struct Options {
    Strategy strategy = Strategy::link_namespace;  // how it is isolated
    // Makes a copy when no namespace is left, or no static TLS for the library in one; a process if that is so for
    // copies too, or all of them would share a symbol.
    bool fall_back_if_spent = false;
    // Bytes of the stack that its code runs on, at least; 0: as much as a program's first thread has (RLIMIT_STACK),
    // but 8 MiB to 1 GiB. CH_HOST_MEMORY_EXHAUSTED if there is no memory for it,
    // CH_THREAD_NOT_STARTED if the system lets this user have no further thread.
    uint64_t stack_bytes = 0;
    // Lets dlsym(RTLD_DEFAULT, name) find the library's symbols, and those of what it needs, for whoever asks beside
    // it: for what it loads with dlopen, as well. Without it that finds the C and C++ libraries, and what the asker
    // itself was loaded with. CH_INVALID_ARGUMENT for a copy, which is in the program's own namespace.
    bool default_lookup = false;
    Timeout timeout = no_timeout;  // deadline of opening, of every call and of closing, unless the call has its own
    std::string anchor_path = default_anchor_path();  // needed for namespaces
    std::string child_path = default_child_path();    // needed for processes
};

// A function of an instance, by its name. It is valid as long as the library is open; every call checks it.
struct Symbol {
    std::string name;         // of the function
    void* address = nullptr;  // in the library's address space
};

// A handle of an instance. Copies of it are the same instance, which is closed when `close` is called, or when the last
// copy and the last Function of it are gone.
//
// Threads: any, of the process that opened it.
// Errors: all members throw Error: CH_FINALIZED after `close`, CH_POISONED after a call that never returned or took the
// child process along, CH_WRONG_PROCESS in a child made by fork(). With Strategy::process also CH_PROCESS_DIED.
class Library {
public:
    // Loads an instance of a file.
    //
    // path: of the shared library.
    // options: copied.
    // Errors: CH_FILE_UNREADABLE, CH_NOT_ELF, CH_FILE_TRUNCATED, CH_WRONG_ARCHITECTURE, CH_LOAD_REFUSED;
    // CH_NAMESPACES_SPENT; CH_STATIC_TLS_SPENT; CH_UNIQUE_SYMBOL and CH_VARIABLE_SHARED for a copy that would not be
    // apart; CH_PROCESS_NOT_STARTED; those that Options name.
    static Library open(const std::string& path, const Options& options = {});

    // Gives a function with a C signature as a callable object. Nobody can check that the library's function really is
    // of this type.
    //
    // Type: a function type, such as double(int, float); function.h says what it may have.
    // name: the symbol.
    // Errors: CH_ENTRY_MISSING; CH_SIGNATURE_UNSUPPORTED for a const char* that a process returns, which could not be
    // read: use std::string; else as for all members.
    template <typename Type>
    Function<Type> function(const std::string& name) const;

    // Finds a function whose signature is known at run time only.
    //
    // name: the symbol.
    // Errors: CH_ENTRY_MISSING; else as for all members.
    Symbol find(const std::string& name) const;
    // Calls a function whose signature is known at run time only, and waits for its result. If it does not return in
    // time, the instance is poisoned and its thread left behind; what the arguments point to is in use for ever. With
    // Strategy::process nothing is left behind: the child is killed.
    //
    // symbol: what `find` gave.
    // signature: of the function.
    // arguments: one for each parameter.
    // timeout: most that it takes; without it what Options say.
    // Errors: CH_SIGNATURE_UNSUPPORTED, CH_FUNCTION_THREW; CH_DEADLINE_EXCEEDED if it does not return in time; else as
    // for all members.
    Value call(const Symbol& symbol, const Signature& signature, const Argument* arguments) const;
    Value call(const Symbol& symbol, const Signature& signature, const Argument* arguments, Timeout timeout) const;

    // Makes memory in which the library may keep what it likes, all zero (memory.h).
    //
    // bytes: its size.
    // Errors: CH_INVALID_ARGUMENT for 0 bytes, CH_HOST_MEMORY_EXHAUSTED; else as for all members.
    Memory alloc(size_t bytes) const;

    // Unloads the library as far as it can be, and says how far that was. A second call gives the same result again.
    CloseResult close() const;

    // Gives the strategy by which it is isolated.
    //
    // Errors: none.
    Strategy strategy() const;
    // Tells that it is another strategy than the one that was asked for (Options::fall_back_if_spent).
    //
    // Errors: none.
    bool fell_back() const;
    // Gives the reason for the strategy: "asked for", or what stood in the way of another.
    //
    // Ownership: the instance's.
    // Errors: none.
    const std::string& strategy_reason() const;
    // Gives the number of the child process that it lives in; -1 without one, or when that has ended.
    //
    // Errors: none.
    int process_id() const;
    // Gives the path that it was opened with.
    //
    // Ownership: the instance's.
    // Errors: none.
    const std::string& path() const;
    // Tells that it can be used no more (CH_POISONED).
    //
    // Errors: none.
    bool poisoned() const;

private:
    void refuse_addresses(const std::string& function) const;
    explicit Library(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}

    std::shared_ptr<Instance> instance_;
};

}  // namespace chiphost::isolate

#include "function.h"
