// SPDX-License-Identifier: Apache-2.0
//
// The libraries that are loaded in one linker namespace, on behalf of everybody in it.
#pragma once

#include <stdint.h>

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "chiphost/abi/anchor.h"

// A loaded library. Owned by the pool; users hold a count.
struct ch_library {
    void* handle = nullptr;
    std::string key;  // empty: not shared
    uint32_t users = 0;
    std::map<std::string, void*, std::less<>> symbols;  // looked up so far
    std::list<ch_library*> place{this};                 // its node of the list of idle ones, while it is in use
    std::list<ch_library*>::iterator idle;              // that node, while it is not
};

namespace chiphost::isolate {

// Loads private copies of libraries, shares those that can be shared, and keeps the most recently used of those that
// nobody uses at the moment. Thread-safe; only threads of the pool's own namespace may call it, for dlopen loads into
// the namespace of the code that calls it.
//
// A library's constructor runs inside dlopen and may take any time, in which the loader's own lock is held. What needs
// no loader does not wait for that: libraries that are loaded already, symbols that were looked up before, closing a
// shared library, counting.
class LibraryPool {
public:
    // Unused libraries kept for the next user. A run after a reset then opens nothing.
    static constexpr size_t idle_max = 128;

    // `gate` may be nullptr, and is entered for every call of the loader.
    explicit LibraryPool(ch_loader_gate* gate) : gate_(gate) {}

    [[nodiscard]] int32_t open(const ch_open_request& request, ch_error* out_error);
    // Address of a symbol, nullptr if the library and its dependencies do not define it.
    void* find_symbol(const ch_library* library, const char* symbol);
    // True if the library is unloaded now; false if it is kept, or pinned by what it did to the process.
    bool close(ch_library* library);
    // Unloads libraries without users: those of this key, or all if it is "".
    void flush(std::string_view key);
    void count(ch_anchor_counts* out_counts);

private:
    ch_library* take_shared(const std::string& key);
    std::unique_ptr<ch_library> forget(ch_library* library);
    bool unload(std::unique_ptr<ch_library> library);

    ch_loader_gate* const gate_;
    std::mutex mutex_;  // guards all below
    // Maps whose nodes can be made before a library is loaded. What is loaded is never lost for want of memory.
    std::map<ch_library*, std::unique_ptr<ch_library>> libraries_;
    std::map<std::string, ch_library*> shared_;
    std::list<ch_library*> idle_;  // shared ones without users, least recently used first
    uint64_t loads_ = 0;
    uint64_t pinned_ = 0;
};

}  // namespace chiphost::isolate
