// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "isolate/domain/namespace_pool.h"
#include "os/mutex.h"
#include "runtime_library.h"

namespace chiphost::worker {

// All host runtimes that a process has loaded; see RuntimeLibrary for what stays loaded and what makes way. A child
// made by fork() begins anew: it has none of the threads that its parent's libraries live on. Thread-safe.
class RuntimeLibraries {
public:
    using Shared = std::shared_ptr<RuntimeLibrary>;

    static RuntimeLibraries& of_this_process();

    RuntimeLibraries();

    // See RuntimeLibrary::load, give_back and counts.
    Status load(const RuntimeFiles& files, const std::string& platform, const Isolation& isolation,
                const std::string& anchor_path, Shared* out_library, bool* out_fell_back, ch_error* out_error);
    void give_back(RuntimeLibrary& library);
    RuntimeLibrary::Counts counts();

private:
    using Key = std::pair<isolate::Strategy, std::string>;
    using Libraries = std::map<Key, Shared>;

    bool reclaim(const isolate::GoOn& still_wanted);

    Shared use(const Key& key);
    Status check_platform(Shared* library, const std::string& platform, ch_error* out_error);
    void give_back_refused(RuntimeLibrary& library);

    void mark_stale(const RuntimeFiles& files, const std::string& current);
    template <typename Wanted>
    std::vector<Libraries::node_type> take_out_unused(Wanted&& wanted);
    void put_back(Libraries::node_type entry);
    void retire_stale() CH_REQUIRES(load_mutex_);
    bool retire_oldest_idle() CH_REQUIRES(load_mutex_);
    bool unload(RuntimeLibrary& library) CH_REQUIRES(load_mutex_);
    void explain_pin(const RuntimeLibrary& library, const char* why) CH_REQUIRES(mutex_);

    Status open_domain(isolate::Strategy strategy, const std::string& anchor_path, isolate::Domain** out_domain,
                       ch_error* out_error) CH_REQUIRES(load_mutex_);

    // Held while a library is loaded or unloaded, which may take any time. Taken before mutex_.
    os::Mutex load_mutex_;
    // Never held for long. A library that was taken out of the map belongs to whoever holds load_mutex_.
    os::Mutex mutex_;
    Libraries libraries_ CH_GUARDED_BY(mutex_);
    uint64_t uses_ CH_GUARDED_BY(mutex_) = 0;
    size_t pinned_ CH_GUARDED_BY(mutex_) = 0;  // namespaces that were lost
    std::string pins_ CH_GUARDED_BY(mutex_);
};

}  // namespace chiphost::worker
