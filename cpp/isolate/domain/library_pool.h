// SPDX-License-Identifier: Apache-2.0
//
// The libraries that are loaded in one linker namespace, on behalf of everybody in it.
#pragma once

#include <stdint.h>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "chiphost/abi/anchor.h"
#include "foreign_threads.h"
#include "os/mutex.h"
#include "status/status.h"

// A loaded library. Owned by the pool; users hold a count.
struct ch_library {
    void* handle = nullptr;
    std::string key;  // empty: not shared
    uint32_t users = 0;
    std::map<std::string, void*, std::less<>> symbols;     // looked up so far
    std::list<ch_library*> place{this};                    // its node of the list of idle ones, while it is in use
    std::list<std::unique_ptr<ch_library>> kept_place{1};  // for the list of those that are kept; made in advance
    std::list<ch_library*>::iterator idle;                 // that node, while it is not
    uint64_t loaded_at_ns = 0;                             // thread_clock_ns() before it was loaded
    uint64_t closed_at_ns = 0;                             // and when it was closed, while it is kept
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

    // The threads that may run code of libraries and are none of the anchor's.
    using FindThreads = std::function<ForeignThreads()>;

    // `gate` may be nullptr, and is entered for every call of the loader. Without `find_threads` nobody makes threads.
    explicit LibraryPool(ch_loader_gate* gate, FindThreads find_threads = {})
        : gate_(gate), find_threads_(std::move(find_threads)) {}

    Status open(const ch_open_request& request, ch_error* out_error);
    // Address of a symbol, nullptr if the library and its dependencies do not define it.
    void* find_symbol(const ch_library* library, const char* symbol);
    // True if the library is unloaded now; false if it is kept, or pinned by what it did to the process. One whose code
    // a thread or a signal handler may still run is kept until that is over; whenever a library is unloaded, the kept
    // ones are looked at again.
    bool close(ch_library* library);
    // Unloads libraries without users: those of this key, or all if it is "".
    void flush(std::string_view key);
    // Takes a library that somebody else has loaded, and closes now, among those that are kept. False: nothing runs it.
    bool keep_if_running(void* handle, uint64_t loaded_at_ns);
    void count(ch_anchor_counts* out_counts);

private:
    Status load(const ch_open_request& request, const void* data, size_t bytes, ch_library* library,
                ch_error* out_error) const;
    ch_library* take_shared(const std::string& key) CH_REQUIRES(mutex_);
    std::unique_ptr<ch_library> forget(ch_library* library) CH_REQUIRES(mutex_);
    bool unload(std::unique_ptr<ch_library> library);
    void unload_kept(const ForeignThreads& threads);
    bool close_now(std::unique_ptr<ch_library> library);
    ForeignThreads find_threads() const;

    ch_loader_gate* const gate_;
    const FindThreads find_threads_;
    os::Mutex mutex_;
    // Maps whose nodes can be made before a library is loaded. What is loaded is never lost for want of memory.
    std::map<ch_library*, std::unique_ptr<ch_library>> libraries_ CH_GUARDED_BY(mutex_);
    std::map<std::string, ch_library*> shared_ CH_GUARDED_BY(mutex_);
    std::list<ch_library*> idle_ CH_GUARDED_BY(mutex_);  // shared ones without users, least recently used first
    std::list<std::unique_ptr<ch_library>> kept_ CH_GUARDED_BY(mutex_);  // closed by all, and still run by somebody
    uint64_t loads_ CH_GUARDED_BY(mutex_) = 0;
    uint64_t pinned_ CH_GUARDED_BY(mutex_) = 0;
};

}  // namespace chiphost::isolate
