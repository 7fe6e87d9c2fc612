// SPDX-License-Identifier: Apache-2.0
#include "runtime_library.h"

#include <new>

#include "isolate/domain/namespace_pool.h"
#include "os/thread_clock.h"
#include "runtime_libraries.h"
#include "status/abi_check.h"
#include "status/report.h"

namespace chiphost::worker {

using isolate::Domain;
using isolate::NamespacePool;
using isolate::Strategy;

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

Status RuntimeLibrary::open(const std::string& platform, bool only_copy, ch_error* out_error) {
    ch_library* loaded = nullptr;
    loaded_at_ns_ = os::thread_clock_ns();
    Status failed = domain_->open_library(files_.host, &loaded, out_error, only_copy);
    if (failed.ok()) failed = read_table(loaded, platform, out_error);
    if (failed.ok()) {
        loaded_ = loaded;
        return CH_OK;
    }
    // A namespace is too precious to lose it to a wrong file. If nothing of the file is left, the next may have it.
    const bool clean = !loaded || domain_->close_library(loaded);
    if (domain_->strategy() == Strategy::link_namespace && clean && domain_->clear()) {
        NamespacePool::of_this_process().give_back(domain_);
    }
    return failed;
}

Status RuntimeLibrary::read_table(ch_library* loaded, const std::string& platform, ch_error* out_error) {
    void* entry = nullptr;
    CH_TRY(domain_->find_symbol(loaded, CH_HOST_RUNTIME_ENTRY, files_.host, &entry, out_error));
    // Nobody knows yet whose code it is, so not even this function may be called from here.
    const ch_question question{reinterpret_cast<const void* (*)()>(entry), nullptr};
    uint64_t address = 0;
    CH_TRY(domain_->ask(question, files_.host, CH_HOST_RUNTIME_ENTRY, &address, out_error));
    table_ = reinterpret_cast<const ch_host_runtime*>(address);
    CH_TRY(check_table(platform, out_error));
    CH_TRY(domain_->ask({nullptr, table_->runtime_size}, files_.host, "runtime_size", &context_bytes_, out_error));
    try {
        info_ = &keep({table_->runtime, table_->arch, table_->platform, table_->version, domain_->strategy(),
                       table_->chip ? *table_->chip : ch_chip{}});
    } catch (const std::bad_alloc&) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, files_.host, "out of memory");
    }
    return CH_OK;
}

Status RuntimeLibrary::check_table(const std::string& platform, ch_error* out_error) const {
    return check_header(
        table_->header,
        {CH_ABI_HOST_RUNTIME, CH_HOST_RUNTIME_MAJOR, CH_HOST_RUNTIME_MINOR, sizeof(ch_host_runtime), platform},
        files_.host, out_error);
}

}  // namespace chiphost::worker
