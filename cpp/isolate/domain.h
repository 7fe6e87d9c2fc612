// SPDX-License-Identifier: Apache-2.0
//
// A domain: a place in this process where libraries live apart from the program and from other domains.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <string>
#include <vector>

#include "chiphost/abi/anchor.h"

namespace chiphost::isolate {

enum class Strategy {
    // A linker namespace of its own (dlmopen): symbols, statics, libc, libstdc++, malloc and environ are apart. A
    // process
    // can open some ten of them in its life.
    link_namespace,
    // A private copy of each file in the program's own namespace (RTLD_LOCAL): symbols and statics are apart, libc and
    // libstdc++ are shared. No limit; works with sanitizers and where there is no dlmopen.
    copy,
    // A process of its own (child_process.h): everything is apart, and a crash ends that process only. No Domain is of
    // this kind; there is one for copies in the child.
    process,
};

const char* strategy_name(Strategy strategy);

// Domains are never destroyed: their threads live as long as the process. Thread-safe.
class Domain {
public:
    // Opens a new namespace, or hands out the program's one domain for copies. anchor_path names the anchor library
    // that a namespace begins with. CH_NAMESPACES_SPENT, CH_ISOLATION_UNAVAILABLE or what check_elf_library says.
    [[nodiscard]] static int32_t open(Strategy strategy, const std::string& anchor_path, Domain** out_domain,
                                      ch_error* out_error);

    // Lends a thread that belongs to the domain. Every call into its libraries is made on such a thread.
    [[nodiscard]] int32_t lease_thread(ch_mailbox** out_mailbox, ch_error* out_error);
    void return_thread(ch_mailbox* mailbox);

    // Loads a library into the domain: in a namespace the file itself, otherwise a private copy.
    [[nodiscard]] int32_t open_library(const std::string& path, ch_library** out_library, ch_error* out_error);

    // CH_ENTRY_MISSING if the library does not define the symbol.
    [[nodiscard]] int32_t find_symbol(ch_library* library, const char* symbol, const std::string& path,
                                      void** out_address, ch_error* out_error);

    // True if nothing of the library is left in the process.
    bool close_library(ch_library* library);

    ch_anchor_counts counts();

    Strategy strategy() const { return strategy_; }
    const ch_anchor* anchor() const { return anchor_; }
    void* anchor_state() const { return state_; }
    // A domain's threads do not exist in a child made by fork().
    pid_t process() const { return process_; }

private:
    Domain(Strategy strategy, const ch_anchor* anchor);
    [[nodiscard]] int32_t start(ch_error* out_error);
    int32_t call_keeper(ch_call call, const void* second, void* third);
    [[nodiscard]] static int32_t open_namespace(const std::string& anchor_path, Domain** out_domain,
                                                ch_error* out_error);

    const Strategy strategy_;
    const ch_anchor* const anchor_;
    const pid_t process_;
    void* state_ = nullptr;
    std::mutex keeper_mutex_;  // one caller at a time
    ch_mailbox* keeper_ = nullptr;
    std::mutex threads_mutex_;               // guards free_threads_
    std::vector<ch_mailbox*> free_threads_;  // given back, so that lending one again wakes nobody
};

}  // namespace chiphost::isolate
