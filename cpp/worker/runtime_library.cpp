// SPDX-License-Identifier: Apache-2.0
#include "runtime_library.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "abi/report.h"
#include "isolate/elf_image.h"
#include "isolate/per_process.h"
#include "isolate/private_copy.h"

namespace chiphost::worker {

using isolate::Domain;
using isolate::Strategy;

namespace {

// Identity of a file: another key as soon as it was written again.
int32_t file_key(const std::string& path, std::string* out_key, ch_error* out_error) {
    struct stat status{};
    if (stat(path.c_str(), &status) != 0) {
        return report(out_error, CH_FILE_UNREADABLE, path, "cannot open: %s", strerror(errno));
    }
    *out_key = path + "|" + std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) + "|" +
               std::to_string(status.st_size);
    return CH_OK;
}

// What can be refused without spending a namespace.
int32_t check_file(const std::string& path, ch_error* out_error) {
    std::vector<char> bytes;
    if (const int32_t code = isolate::read_file(path, &bytes, out_error)) return code;
    return isolate::check_elf_library(bytes.data(), bytes.size(), path, out_error);
}

}  // namespace

int32_t runtime_key(const RuntimeFiles& files, std::string* out_key, ch_error* out_error) {
    out_key->clear();
    for (const std::string* path : {&files.host, &files.aicpu, &files.aicore}) {
        std::string key;
        if (const int32_t code = file_key(*path, &key, out_error)) return code;
        *out_key += (out_key->empty() ? "" : "|") + key;
    }
    return CH_OK;
}

// All libraries of the process. A child made by fork() begins anew: it has none of the threads that its parent's
// libraries live on.
class RuntimeLibraries {
public:
    static RuntimeLibraries& of_this_process() {
        static isolate::PerProcess<RuntimeLibraries> libraries;
        return libraries.get([](RuntimeLibraries*) { return new RuntimeLibraries; });
    }

    int32_t load(const RuntimeFiles& files, const std::string& platform, const Isolation& isolation,
                 const std::string& anchor_path, RuntimeLibrary** out_library, bool* out_fell_back,
                 ch_error* out_error) {
        *out_fell_back = false;
        std::unique_ptr<RuntimeLibrary> library(new RuntimeLibrary);
        library->files_ = files;
        std::string key;
        if (const int32_t code = runtime_key(files, &key, out_error)) return code;
        if (const int32_t code = file_key(files.aicpu, &library->aicpu_key_, out_error)) return code;
        if (const int32_t code = file_key(files.aicore, &library->aicore_key_, out_error)) return code;

        const std::lock_guard lock(mutex_);
        Strategy strategy = isolation.strategy;
        if ((*out_library = find(strategy, key))) return check_platform(**out_library, platform, out_error);
        for (const std::string& path : {files.host, files.aicpu, files.aicore}) {
            if (const int32_t code = check_file(path, out_error)) return code;
        }
        int32_t code = open_domain(strategy, anchor_path, &library->domain_, out_error);
        if (code == CH_NAMESPACES_SPENT && isolation.copy_if_spent) {
            // Only now: a copy that somebody asked for is no reason to do without a namespace.
            strategy = Strategy::copy;
            *out_fell_back = true;
            if ((*out_library = find(strategy, key))) return check_platform(**out_library, platform, out_error);
            code = open_domain(strategy, anchor_path, &library->domain_, out_error);
        }
        if (code != CH_OK) return code;
        if (const int32_t refused = load_into(*library, platform, out_error)) return refused;
        *out_library = library.get();
        libraries_[{strategy, key}] = std::move(library);
        return CH_OK;
    }

private:
    RuntimeLibrary* find(Strategy strategy, const std::string& key) {
        const auto found = libraries_.find({strategy, key});
        return found == libraries_.end() ? nullptr : found->second.get();
    }

    int32_t open_domain(Strategy strategy, const std::string& anchor_path, Domain** out_domain, ch_error* out_error) {
        if (strategy == Strategy::link_namespace && !spare_namespaces_.empty()) {
            *out_domain = spare_namespaces_.back();
            spare_namespaces_.pop_back();
            return CH_OK;
        }
        return Domain::open(strategy, anchor_path, out_domain, out_error);
    }

    int32_t load_into(RuntimeLibrary& library, const std::string& platform, ch_error* out_error) {
        Domain& domain = *library.domain_;
        ch_library* loaded = nullptr;
        int32_t code = domain.open_library(library.files_.host, &loaded, out_error);
        if (code == CH_OK) {
            void* entry = nullptr;
            code = domain.find_symbol(loaded, CH_HOST_RUNTIME_ENTRY, library.files_.host, &entry, out_error);
            if (code == CH_OK) {
                // The function only returns the address of constant data, so it may be called from here.
                library.table_ = reinterpret_cast<ch_host_runtime_entry>(entry)();
                code = check_platform(library, platform, out_error);
                const ch_host_runtime& table = *library.table_;
                if (code == CH_OK) {
                    library.info_ = {table.runtime, table.arch, table.platform, table.version, domain.strategy()};
                }
            }
        }
        if (code != CH_OK) {
            // A namespace is too precious to lose it to a wrong file. If nothing of the file is left, the next may have
            // it.
            const bool clean = !loaded || domain.close_library(loaded);
            if (domain.strategy() == Strategy::link_namespace && clean) spare_namespaces_.push_back(&domain);
        }
        return code;
    }

    static int32_t check_platform(const RuntimeLibrary& library, const std::string& platform, ch_error* out_error) {
        return check_header(
            library.table_->header,
            {CH_ABI_HOST_RUNTIME, CH_HOST_RUNTIME_MAJOR, CH_HOST_RUNTIME_MINOR, sizeof(ch_host_runtime), platform},
            library.files_.host, out_error);
    }

    std::mutex mutex_;  // guards all below
    std::map<std::pair<Strategy, std::string>, std::unique_ptr<RuntimeLibrary>> libraries_;
    std::vector<Domain*> spare_namespaces_;
};

int32_t RuntimeLibrary::load(const RuntimeFiles& files, const std::string& platform, const Isolation& isolation,
                             const std::string& anchor_path, RuntimeLibrary** out_library, bool* out_fell_back,
                             ch_error* out_error) {
    return RuntimeLibraries::of_this_process().load(files, platform, isolation, anchor_path, out_library, out_fell_back,
                                                    out_error);
}

}  // namespace chiphost::worker
