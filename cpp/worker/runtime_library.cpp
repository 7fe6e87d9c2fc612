// SPDX-License-Identifier: Apache-2.0
#include "runtime_library.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "isolate/domain/namespace_pool.h"
#include "loader/elf_image.h"
#include "loader/loader_refusal.h"
#include "loader/private_copy.h"
#include "os/mutex.h"
#include "os/per_process.h"
#include "os/thread_clock.h"
#include "status/report.h"

namespace chiphost::worker {

using isolate::Domain;
using isolate::NamespacePool;
using isolate::Strategy;
using Shared = std::shared_ptr<RuntimeLibrary>;

namespace {

// On a real chip the device programs are no libraries of this process: they are for other processors, and whoever opens
// the device says what is wrong with them, or with the chip.
bool is_real_chip(const std::string& platform) {
    return platform == "a2a3" || platform == "a5";
}

// Identity of a file: another key as soon as it was written again.
Status file_key(const std::string& path, std::string* out_key, ch_error* out_error) {
    struct stat status{};
    if (stat(path.c_str(), &status) != 0) {
        return report(out_error, CH_FILE_UNREADABLE, path, "cannot open: %s", strerror(errno));
    }
    *out_key = path + "|" + std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) + "|" +
               std::to_string(status.st_size);
    return CH_OK;
}

// What can be refused without spending a namespace. out_unique_symbol: of the host program, "" without one.
Status check_files(const RuntimeFiles& files, const std::string& platform, std::string* out_unique_symbol,
                   ch_error* out_error) {
    for (const std::string* path : {&files.aicore, &files.aicpu, &files.host}) {
        if (path != &files.host && is_real_chip(platform)) continue;
        std::vector<char> bytes;
        CH_TRY(loader::read_file(*path, &bytes, out_error));
        CH_TRY(loader::check_elf_library(bytes.data(), bytes.size(), *path, out_error));
        *out_unique_symbol = loader::unique_symbol(bytes.data(), bytes.size());
    }
    return CH_OK;
}

bool same_paths(const RuntimeFiles& first, const RuntimeFiles& second) {
    return first.host == second.host && first.aicpu == second.aicpu && first.aicore == second.aicore;
}

}  // namespace

Status runtime_key(const RuntimeFiles& files, const std::string& platform, std::string* out_key, ch_error* out_error) {
    out_key->clear();
    for (const std::string* path : {&files.host, &files.aicpu, &files.aicore}) {
        std::string key = *path;
        const bool may_be_missing = path != &files.host && is_real_chip(platform);
        ch_error missing = no_error();
        if (const Status failed = file_key(*path, &key, may_be_missing ? &missing : out_error); !failed.ok()) {
            if (!may_be_missing) return failed;
        }
        *out_key += (out_key->empty() ? "" : "|") + key;
    }
    return CH_OK;
}

// All libraries of the process. A child made by fork() begins anew: it has none of the threads that its parent's
// libraries live on.
class RuntimeLibraries {
public:
    static RuntimeLibraries& of_this_process() {
        static os::PerProcess<RuntimeLibraries> libraries;
        return libraries.get([](RuntimeLibraries*) { return new RuntimeLibraries; });
    }

    RuntimeLibraries() {
        NamespacePool::of_this_process().set_reclaim(
            [](const isolate::GoOn& still_wanted) { return of_this_process().reclaim(still_wanted); });
    }

    Status load(const RuntimeFiles& files, const std::string& platform, const Isolation& isolation,
                const std::string& anchor_path, Shared* out_library, bool* out_fell_back, ch_error* out_error) {
        *out_fell_back = false;
        Shared library(new RuntimeLibrary);
        library->files_ = files;
        std::string key;
        CH_TRY(runtime_key(files, platform, &key, out_error));
        if (!is_real_chip(platform)) {
            CH_TRY(file_key(files.aicpu, &library->aicpu_key_, out_error));
            CH_TRY(file_key(files.aicore, &library->aicore_key_, out_error));
        }
        Key full_key{isolation.strategy, key};

        if ((*out_library = use(full_key))) return check_platform(out_library, platform, out_error);
        const os::MutexLock one_at_a_time(load_mutex_);
        if ((*out_library = use(full_key))) return check_platform(out_library, platform, out_error);
        std::string unique_symbol;
        CH_TRY(check_files(files, platform, &unique_symbol, out_error));
        mark_stale(files, key);
        retire_stale();
        // From here on nothing may be lost for want of memory, least of all a namespace.
        Libraries entry;
        entry[full_key] = library;
        const auto load_as = [&](Strategy strategy) CH_REQUIRES(load_mutex_) -> Status {
            CH_TRY(open_domain(strategy, anchor_path, &library->domain_, out_error));
            return load_into(*library, platform, isolation.only_copy, out_error);
        };
        int32_t code = load_as(full_key.first);
        if (loader::is_spent(code) && isolation.fall_back_if_spent && unique_symbol.empty()) {
            // Only now: a copy that somebody asked for is no reason to do without a namespace.
            full_key.first = Strategy::copy;
            *out_fell_back = true;
            if ((*out_library = use(full_key))) return check_platform(out_library, platform, out_error);
            code = load_as(full_key.first);
        } else if (loader::is_spent(code) && isolation.fall_back_if_spent) {
            const std::string spent = out_error->message;
            report(out_error, static_cast<ch_code>(code), files.host,
                   "%s. A copy is no way out: all copies would share the symbol %s, which is STB_GNU_UNIQUE",
                   spent.c_str(), unique_symbol.c_str());
        }
        if (code != CH_OK) return code;
        auto node = entry.extract(entry.begin());
        node.key().first = full_key.first;
        const os::MutexLock lock(mutex_);
        library->users_ = 1;
        libraries_.insert(std::move(node));
        *out_library = std::move(library);
        return CH_OK;
    }

    void give_back(RuntimeLibrary& library) {
        {
            const os::MutexLock lock(mutex_);
            library.last_use_ = ++uses_;
            if (--library.users_ > 0 || !library.stale_) return;
        }
        // If somebody is loading, that may take any time. The next who loads unloads this one first.
        if (!load_mutex_.try_lock()) return;
        const os::MutexLock one_at_a_time(load_mutex_, std::adopt_lock);
        try {
            retire_stale();
        } catch (const std::bad_alloc&) {  // the same
        }
    }

    // Makes a namespace spare for who wants one for something else than a runtime.
    bool reclaim(const isolate::GoOn& still_wanted) {
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

    RuntimeLibrary::Counts counts() {
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

private:
    using Key = std::pair<Strategy, std::string>;
    using Libraries = std::map<Key, Shared>;

    // A further use of the library, nullptr if it is not loaded.
    Shared use(const Key& key) {
        const os::MutexLock lock(mutex_);
        const auto found = libraries_.find(key);
        if (found == libraries_.end()) return nullptr;
        ++found->second->users_;
        found->second->stale_ = false;  // the files are as they were then
        return found->second;
    }

    // Gives a library that was found back if it is not for the platform.
    Status check_platform(Shared* library, const std::string& platform, ch_error* out_error) {
        const int32_t code = check_table(**library, platform, out_error);
        if (code != CH_OK) {
            give_back_refused(**library);
            library->reset();
        }
        return code;
    }

    void give_back_refused(RuntimeLibrary& library) {
        const os::MutexLock lock(mutex_);
        --library.users_;
    }

    // What was loaded from these files when they were others. `current` is what they are now.
    void mark_stale(const RuntimeFiles& files, const std::string& current) {
        const os::MutexLock lock(mutex_);
        for (auto& [key, library] : libraries_) {
            if (key.second != current && same_paths(library->files_, files)) library->stale_ = true;
        }
    }

    // Takes the libraries without users out that `wanted` says, the one longest without first, so that nobody finds
    // them any more.
    template <typename Wanted>
    std::vector<Libraries::node_type> take_out_unused(Wanted&& wanted) {
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

    void put_back(Libraries::node_type entry) {
        const os::MutexLock lock(mutex_);
        libraries_.insert(std::move(entry));
    }

    void retire_stale() CH_REQUIRES(load_mutex_) {
        for (auto& entry : take_out_unused([](Strategy, const RuntimeLibrary& library) { return library.stale_; })) {
            if (!unload(*entry.mapped())) put_back(std::move(entry));
        }
    }

    // Makes a namespace spare by unloading a library without users.
    bool retire_oldest_idle() CH_REQUIRES(load_mutex_) {
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
    bool unload(RuntimeLibrary& library) CH_REQUIRES(load_mutex_) {
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

    void explain_pin(const RuntimeLibrary& library, const char* why) CH_REQUIRES(mutex_) {
        try {
            pins_ = library.files_.host + why;
        } catch (const std::bad_alloc&) {
            pins_.clear();
        }
    }

    Status open_domain(Strategy strategy, const std::string& anchor_path, Domain** out_domain, ch_error* out_error)
        CH_REQUIRES(load_mutex_) {
        if (strategy != Strategy::link_namespace) return Domain::open(strategy, anchor_path, out_domain, out_error);
        NamespacePool& pool = NamespacePool::of_this_process();
        int32_t code = pool.try_take(anchor_path, out_domain, out_error);
        if (code == CH_NAMESPACES_SPENT && retire_oldest_idle()) {
            code = pool.try_take(anchor_path, out_domain, out_error);
        }
        return code;
    }

    Status load_into(RuntimeLibrary& library, const std::string& platform, bool only_copy, ch_error* out_error) {
        Domain& domain = *library.domain_;
        ch_library* loaded = nullptr;
        library.loaded_at_ns_ = os::thread_clock_ns();
        int32_t code = domain.open_library(library.files_.host, &loaded, out_error, only_copy);
        if (code == CH_OK) {
            void* entry = nullptr;
            code = domain.find_symbol(loaded, CH_HOST_RUNTIME_ENTRY, library.files_.host, &entry, out_error);
            if (code == CH_OK) {
                // Whose code it is nobody knows yet, so not even this may be called from here.
                const ch_question question{reinterpret_cast<const void* (*)()>(entry), nullptr};
                uint64_t table = 0;
                code = domain.ask(question, library.files_.host, CH_HOST_RUNTIME_ENTRY, &table, out_error);
                library.table_ = reinterpret_cast<const ch_host_runtime*>(table);
            }
            if (code == CH_OK) code = check_table(library, platform, out_error);
            if (code == CH_OK) {
                code = domain.ask({nullptr, library.table_->runtime_size}, library.files_.host, "runtime_size",
                                  &library.context_bytes_, out_error);
            }
        }
        if (code == CH_OK) {
            library.loaded_ = loaded;
            const ch_host_runtime& table = *library.table_;
            try {
                library.info_ = &keep({table.runtime, table.arch, table.platform, table.version, domain.strategy(),
                                       table.chip ? *table.chip : ch_chip{}});
                return CH_OK;
            } catch (const std::bad_alloc&) {
                code = report(out_error, CH_HOST_MEMORY_EXHAUSTED, library.files_.host, "out of memory");
            }
        }
        // A namespace is too precious to lose it to a wrong file. If nothing of the file is left, the next may have it.
        const bool clean = !loaded || domain.close_library(loaded);
        if (domain.strategy() == Strategy::link_namespace && clean && domain.clear()) {
            NamespacePool::of_this_process().give_back(&domain);
        }
        return code;
    }

    static Status check_table(const RuntimeLibrary& library, const std::string& platform, ch_error* out_error) {
        return check_header(
            library.table_->header,
            {CH_ABI_HOST_RUNTIME, CH_HOST_RUNTIME_MAJOR, CH_HOST_RUNTIME_MINOR, sizeof(ch_host_runtime), platform},
            library.files_.host, out_error);
    }

    // Held while a library is loaded or unloaded, which may take any time. Taken before mutex_.
    os::Mutex load_mutex_;
    // Never held for long. A library that was taken out of the map belongs to who holds load_mutex_.
    os::Mutex mutex_;
    Libraries libraries_ CH_GUARDED_BY(mutex_);
    uint64_t uses_ CH_GUARDED_BY(mutex_) = 0;
    size_t pinned_ CH_GUARDED_BY(mutex_) = 0;  // namespaces that were lost
    std::string pins_ CH_GUARDED_BY(mutex_);
};

Status RuntimeLibrary::load(const RuntimeFiles& files, const std::string& platform, const Isolation& isolation,
                            const std::string& anchor_path, std::shared_ptr<RuntimeLibrary>* out_library,
                            bool* out_fell_back, ch_error* out_error) {
    return RuntimeLibraries::of_this_process().load(files, platform, isolation, anchor_path, out_library, out_fell_back,
                                                    out_error);
}

void RuntimeLibrary::give_back() {
    RuntimeLibraries::of_this_process().give_back(*this);
}

RuntimeLibrary::Counts RuntimeLibrary::counts() {
    return RuntimeLibraries::of_this_process().counts();
}

}  // namespace chiphost::worker
