// SPDX-License-Identifier: Apache-2.0
#include "runtime_libraries.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>

#include "loader/loader_refusal.h"
#include "os/per_process.h"
#include "status/report.h"

namespace chiphost::worker {

using isolate::Domain;
using isolate::NamespacePool;
using isolate::Strategy;

RuntimeLibraries& RuntimeLibraries::of_this_process() {
    static os::PerProcess<RuntimeLibraries> libraries;
    return libraries.get([](RuntimeLibraries*) { return new RuntimeLibraries; });
}

RuntimeLibraries::RuntimeLibraries() {
    NamespacePool::of_this_process().set_reclaim(
        [](const isolate::GoOn& still_wanted) { return of_this_process().reclaim(still_wanted); });
}

Status RuntimeLibraries::load(const RuntimeFiles& files, const std::string& platform, const Isolation& isolation,
                              const std::string& anchor_path, Shared* out_library, bool* out_fell_back,
                              ch_error* out_error) {
    *out_fell_back = false;
    Shared library(new RuntimeLibrary);
    library->files_ = files;
    std::string key;
    CH_TRY(runtime_key(files, &key, out_error));
    if (!files.cross_compiled) {
        CH_TRY(file_key(files.aicpu, &library->aicpu_key_, out_error));
        CH_TRY(file_key(files.aicore, &library->aicore_key_, out_error));
    }
    Key full_key{isolation.strategy, key};

    if ((*out_library = use(full_key))) return check_platform(out_library, platform, out_error);
    const os::MutexLock one_at_a_time(load_mutex_);
    if ((*out_library = use(full_key))) return check_platform(out_library, platform, out_error);
    std::string unique_symbol;
    CH_TRY(check_files(files, &unique_symbol, out_error));
    mark_stale(files, key);
    retire_stale();
    // From here on nothing may be lost for want of memory, least of all a namespace.
    Libraries entry;
    entry[full_key] = library;
    const auto load_as = [&](Strategy strategy) CH_REQUIRES(load_mutex_) -> Status {
        CH_TRY(open_domain(strategy, anchor_path, &library->domain_, out_error));
        return library->open(platform, isolation.only_copy, out_error);
    };
    Status failed = load_as(full_key.first);
    if (loader::is_spent(failed) && isolation.fall_back_if_spent && unique_symbol.empty()) {
        // Only now: a copy that somebody asked for is no reason to do without a namespace.
        full_key.first = Strategy::copy;
        *out_fell_back = true;
        if ((*out_library = use(full_key))) return check_platform(out_library, platform, out_error);
        failed = load_as(full_key.first);
    } else if (loader::is_spent(failed) && isolation.fall_back_if_spent) {
        const std::string spent = out_error->message;
        failed = report(out_error, static_cast<ch_code>(failed.code()), files.host,
                        "%s. A copy is no way out: all copies would share the symbol %s, which is STB_GNU_UNIQUE",
                        spent.c_str(), unique_symbol.c_str());
    }
    CH_TRY(failed);
    auto node = entry.extract(entry.begin());
    node.key().first = full_key.first;
    const os::MutexLock lock(mutex_);
    library->users_ = 1;
    libraries_.insert(std::move(node));
    *out_library = std::move(library);
    return CH_OK;
}

void RuntimeLibraries::give_back(RuntimeLibrary& library) {
    {
        const os::MutexLock lock(mutex_);
        library.last_use_ = ++uses_;
        if (--library.users_ > 0 || !library.stale_) return;
    }
    // If somebody is loading, that may take any time. Whoever loads next unloads this one first.
    if (!load_mutex_.try_lock()) return;
    const os::MutexLock one_at_a_time(load_mutex_, std::adopt_lock);
    try {
        retire_stale();
    } catch (const std::bad_alloc&) {  // then whoever loads next unloads it
    }
}

// Makes a namespace spare for whoever wants one for something other than a runtime.
bool RuntimeLibraries::reclaim(const isolate::GoOn& still_wanted) {
    // If somebody is loading, that may take any time.
    while (!load_mutex_.try_lock()) {
        if (still_wanted && !still_wanted()) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const os::MutexLock one_at_a_time(load_mutex_, std::adopt_lock);
    try {
        return retire_oldest_idle();
    } catch (const std::bad_alloc&) {
        return false;
    }
}

RuntimeLibrary::Counts RuntimeLibraries::counts() {
    const os::MutexLock lock(mutex_);
    RuntimeLibrary::Counts counts;
    counts.namespaces_pinned = pinned_;
    counts.pins = pins_;
    for (const auto& [key, library] : libraries_) {
        size_t& place = key.first == Strategy::copy ? counts.copies
                        : library->users_ > 0       ? counts.namespaces_used
                        : library->threads_stay_    ? counts.namespaces_pinned
                                                    : counts.namespaces_idle;
        ++place;
    }
    return counts;
}

// Notes a further use of the library; nullptr if it is not loaded.
RuntimeLibraries::Shared RuntimeLibraries::use(const Key& key) {
    const os::MutexLock lock(mutex_);
    const auto found = libraries_.find(key);
    if (found == libraries_.end()) return nullptr;
    ++found->second->users_;
    found->second->stale_ = false;  // the files are as they were then
    return found->second;
}

// Gives a library that was found back if it is not for the platform.
Status RuntimeLibraries::check_platform(Shared* library, const std::string& platform, ch_error* out_error) {
    const Status failed = (*library)->check_table(platform, out_error);
    if (!failed.ok()) {
        give_back_refused(**library);
        library->reset();
    }
    return failed;
}

void RuntimeLibraries::give_back_refused(RuntimeLibrary& library) {
    const os::MutexLock lock(mutex_);
    --library.users_;
}

// Marks what was loaded from these files when they were others. `current` is what they are now.
void RuntimeLibraries::mark_stale(const RuntimeFiles& files, const std::string& current) {
    const os::MutexLock lock(mutex_);
    for (auto& [key, library] : libraries_) {
        if (key.second != current && library->files_ == files) library->stale_ = true;
    }
}

// Takes out the libraries without users that `wanted` selects, so that nobody finds them any more. The one that has
// been without users for longest comes first.
template <typename Wanted>
std::vector<RuntimeLibraries::Libraries::node_type> RuntimeLibraries::take_out_unused(Wanted&& wanted) {
    std::vector<Libraries::node_type> unused;
    const os::MutexLock lock(mutex_);
    unused.reserve(libraries_.size());
    for (auto next = libraries_.begin(); next != libraries_.end();) {
        const auto entry = next++;
        if (entry->second->users_ != 0 || !wanted(entry->first.first, *entry->second)) continue;
        unused.push_back(libraries_.extract(entry));
    }
    std::sort(unused.begin(), unused.end(), [](const auto& first, const auto& second) {
        return first.mapped()->last_use_ < second.mapped()->last_use_;
    });
    return unused;
}

void RuntimeLibraries::put_back(Libraries::node_type entry) {
    const os::MutexLock lock(mutex_);
    libraries_.insert(std::move(entry));
}

void RuntimeLibraries::retire_stale() {
    for (auto& entry : take_out_unused([](Strategy, const RuntimeLibrary& library) { return library.stale_; })) {
        if (!unload(*entry.mapped())) put_back(std::move(entry));
    }
}

// Makes a namespace spare by unloading a library without users.
bool RuntimeLibraries::retire_oldest_idle() {
    bool made_room = false;
    for (auto& entry : take_out_unused(
             [](Strategy strategy, const RuntimeLibrary&) { return strategy == Strategy::link_namespace; })) {
        if (made_room || !unload(*entry.mapped())) {
            put_back(std::move(entry));
        } else {
            made_room = NamespacePool::of_this_process().spare() > 0;
        }
    }
    return made_room;
}

// False if it must stay, since threads that it has made may still run its code. Otherwise its namespace goes to the
// next library if nothing is left of this one, and is spent if something is: a symbol that is unique, or a
// thread_local's destructor, keeps a library, and the next load of the same path would be given that.
bool RuntimeLibraries::unload(RuntimeLibrary& library) {
    Domain& domain = *library.domain_;
    const bool threads_stay = domain.has_foreign_threads(library.loaded_at_ns_);
    {
        const os::MutexLock lock(mutex_);
        library.threads_stay_ = threads_stay;
        if (threads_stay) explain_pin(library, ": a thread that it has made lives on");
    }
    if (threads_stay) return false;
    const bool unloaded = domain.close_library(library.loaded_);
    if (domain.strategy() == Strategy::copy) {
        for (const std::string* key : {&library.aicpu_key_, &library.aicore_key_}) {
            if (!key->empty()) domain.flush(*key);
        }
        return true;
    }
    if (domain.clear() && unloaded) {
        NamespacePool::of_this_process().give_back(&domain);
    } else {
        const os::MutexLock lock(mutex_);
        ++pinned_;
        explain_pin(library, unloaded ? ": something that it has loaded stays" : ": the loader keeps it");
    }
    return true;
}

void RuntimeLibraries::explain_pin(const RuntimeLibrary& library, const char* why) {
    try {
        pins_ = library.files_.host + why;
    } catch (const std::bad_alloc&) {
        pins_.clear();
    }
}

Status RuntimeLibraries::open_domain(Strategy strategy, const std::string& anchor_path, Domain** out_domain,
                                     ch_error* out_error) {
    if (strategy != Strategy::link_namespace) return Domain::open(strategy, anchor_path, out_domain, out_error);
    NamespacePool& pool = NamespacePool::of_this_process();
    Status failed = pool.try_take(anchor_path, out_domain, out_error);
    if (failed == CH_NAMESPACES_SPENT && retire_oldest_idle()) {
        failed = pool.try_take(anchor_path, out_domain, out_error);
    }
    return failed;
}

}  // namespace chiphost::worker
