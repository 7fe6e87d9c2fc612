// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <string>

#include "chiphost/abi/host_runtime.h"
#include "isolate/domain/domain.h"
#include "runtime_files.h"
#include "runtime_info.h"
#include "status/status.h"

namespace chiphost::worker {

// The isolation that is wanted for a runtime.
struct Isolation {
    isolate::Strategy strategy = isolate::Strategy::link_namespace;
    bool fall_back_if_spent = false;  // when no namespace has room: a private copy, or a process
    bool only_copy = false;           // this process never loads another runtime: a copy may have unique symbols
};

// A host runtime loaded into a domain. Loaded once for each state of its files (path, modification time in ns and size
// of all three) and strategy, and shared by any number of users.
//
// It stays loaded when nobody uses it, for the next user. It is unloaded when nobody uses it and
//  - its files were written again since: they are another library now, or
//  - it has a namespace, no other is left, and no library has been without users for longer.
// A namespace in which nothing is left of it goes to the next library (facts C7). Otherwise it is spent.
//
// Thread-safe. Immutable but for who uses it. What was asked of it before give_back() may be read after that, except
// through table().
class RuntimeLibrary {
public:
    // Makes the caller a user. `platform` may be empty: then any is accepted. *out_fell_back is true if the library is
    // a copy because no namespace is left, or none with room for it.
    static Status load(const RuntimeFiles& files, const std::string& platform, const Isolation& isolation,
                       const std::string& anchor_path, std::shared_ptr<RuntimeLibrary>* out_library,
                       bool* out_fell_back, ch_error* out_error);

    // Ends a use. Code and data of the library must not be needed any more: it may be unloaded. A user who cannot say
    // that, because a run never returned, never calls this.
    void give_back();

    // Numbers of namespaces and copies in this process.
    struct Counts {
        size_t namespaces_used = 0;    // by a runtime with users
        size_t namespaces_idle = 0;    // by a runtime without: they give way when no other is left
        size_t namespaces_pinned = 0;  // lost, or not to be had for now: see `pins`
        size_t copies = 0;             // loaded
        std::string pins;              // the file that was seen last to stay, and why; "" if none was
    };
    static Counts counts();

    const ch_host_runtime& table() const { return *table_; }
    uint64_t context_bytes() const { return context_bytes_; }
    const RuntimeInfo& info() const { return *info_; }  // lives as long as the process
    isolate::Domain& domain() const { return *domain_; }
    const RuntimeFiles& files() const { return files_; }
    const std::string& aicpu_key() const { return aicpu_key_; }
    const std::string& aicore_key() const { return aicore_key_; }

private:
    friend class RuntimeLibraries;
    RuntimeLibrary() = default;

    // Loads the host program into domain_, which it gives back if the program is of no use. CH_ABI_MISMATCH,
    // CH_ENTRY_MISSING, and what the domain says of files.
    Status open(const std::string& platform, bool only_copy, ch_error* out_error);
    Status read_table(ch_library* loaded, const std::string& platform, ch_error* out_error);
    Status check_table(const std::string& platform, ch_error* out_error) const;

    const ch_host_runtime* table_ = nullptr;
    uint64_t context_bytes_ = 0;
    const RuntimeInfo* info_ = nullptr;
    isolate::Domain* domain_ = nullptr;
    ch_library* loaded_ = nullptr;
    RuntimeFiles files_;
    std::string aicpu_key_;
    std::string aicore_key_;
    uint64_t loaded_at_ns_ = 0;  // CLOCK_BOOTTIME before the library was loaded

    // Guarded by the mutex of RuntimeLibraries, which clang cannot be told: it is another object's.
    size_t users_ = 0;
    uint64_t last_use_ = 0;      // a number that grows
    bool stale_ = false;         // its files were written again
    bool threads_stay_ = false;  // seen when it was to be unloaded
};

}  // namespace chiphost::worker
