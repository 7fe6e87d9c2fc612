// SPDX-License-Identifier: Apache-2.0
//
// A domain: a place in this process where libraries live apart from the program and from other domains.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include <link.h>

#include <string>
#include <utility>
#include <vector>

#include "chiphost/abi/anchor.h"
#include "chiphost/isolate/strategy.h"
#include "os/mutex.h"
#include "status/status.h"

namespace chiphost::isolate {

// Domains are never destroyed: their threads live as long as the process. Thread-safe.
class Domain {
public:
    // Opens a new namespace, or hands out the program's one domain for copies. anchor_path names the anchor library
    // that a namespace begins with. CH_NAMESPACES_SPENT, CH_ISOLATION_UNAVAILABLE or what check_elf_library says.
    // CH_HOST_MEMORY_EXHAUSTED or CH_THREAD_NOT_STARTED with a domain: the namespace is there, and start() may be tried
    // again later.
    static Status open(Strategy strategy, const std::string& anchor_path, Domain** out_domain, ch_error* out_error);

    // Makes the first thread of a domain that open() could not make it for.
    Status start(ch_error* out_error);

    // Lends a thread that belongs to the domain. Every call into its libraries is made on such a thread. stack_bytes:
    // how large its stack must be at least; 0: as usual (stack_size.h).
    Status lease_thread(ch_mailbox** out_mailbox, ch_error* out_error, uint64_t stack_bytes = 0);
    void return_thread(ch_mailbox* mailbox);

    // Loads a library into the domain: in a namespace the file itself, otherwise a private copy. only_copy: this
    // process never loads another copy, so one with unique symbols is not refused.
    Status open_library(const std::string& path, ch_library** out_library, ch_error* out_error, bool only_copy = false);

    // CH_ENTRY_MISSING if the library does not define the symbol.
    Status find_symbol(ch_library* library, const char* symbol, const std::string& path, void** out_address,
                       ch_error* out_error);

    // Calls a function of a library in the domain on a thread of the domain. CH_INTERNAL if it lets an exception out;
    // `path` and `name` are for that message.
    Status ask(const ch_question& question, const std::string& path, const char* name, uint64_t* out_answer,
               ch_error* out_error);

    // True if nothing of the library is left in the process.
    bool close_library(ch_library* library);

    // Unloads the libraries that nobody uses and that were opened with this key, as kernels are, or all: "".
    void flush(const std::string& key);

    // Unloads what nobody uses. Only for a namespace in which nobody has a call under way. True if nothing is left of
    // what was loaded into it, and the next library finds it as new.
    [[nodiscard]] bool clear();

    // True if threads live that libraries have made since a time of CLOCK_BOOTTIME; they may be running code that was
    // loaded then. See ch_anchor.
    [[nodiscard]] bool has_foreign_threads(uint64_t since_ns);

    ch_anchor_counts counts();

    // Writes out what the domain's C library keeps of what was printed, if nothing hangs there: waits for a moment
    // only. Calls do so at their end; this is for those that never end, and for the end of the process.
    void flush_output();

    // Paths of all that is loaded in the domain's namespace, in the order of loading. Empty for copies: the program's
    // own namespace is everybody's. Nothing may be loaded into the domain meanwhile.
    std::vector<std::string> loaded_objects() const;

    Strategy strategy() const { return strategy_; }
    const ch_anchor* anchor() const { return anchor_; }
    void* anchor_state() const { return state_; }
    // A domain's threads do not exist in a child made by fork().
    pid_t process() const { return process_; }

private:
    explicit Domain(Strategy strategy);
    int32_t call_keeper(ch_call call, const void* second, void* third);
    static Status open_namespace(const std::string& anchor_path, Domain** out_domain, ch_error* out_error);

    // The objects that are loaded in the namespace, each by its address and name.
    using Objects = std::vector<std::pair<uintptr_t, std::string>>;
    Objects objects() const;
    const link_map* first_object() const;
    bool holds_what_it_began_with() const;

    const Strategy strategy_;
    const ch_anchor* anchor_ = nullptr;
    void* anchor_handle_ = nullptr;  // the loader's, nullptr for copies
    const pid_t process_;
    void* state_ = nullptr;
    Objects objects_;         // of the anchor only
    os::Mutex keeper_mutex_;  // one caller at a time
    ch_mailbox* keeper_ CH_GUARDED_BY(keeper_mutex_) = nullptr;
    bool flushes_ CH_GUARDED_BY(keeper_mutex_) = false;  // the keeper has a call of flush_output() under way
    ch_anchor_counts unused_counts_ CH_GUARDED_BY(keeper_mutex_) = {};  // of that call
    os::Mutex threads_mutex_;
    size_t threads_leased_ CH_GUARDED_BY(threads_mutex_) = 0;  // that the anchor has made for callers
    // The threads that were given back: lending one of them again wakes nobody.
    std::vector<ch_mailbox*> free_threads_ CH_GUARDED_BY(threads_mutex_);
};

}  // namespace chiphost::isolate
