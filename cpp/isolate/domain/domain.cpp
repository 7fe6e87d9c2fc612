// SPDX-License-Identifier: Apache-2.0
#include "domain.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

#include "anchor.h"
#include "loader/elf_image.h"
#include "loader/library_file.h"
#include "loader/loader_gate.h"
#include "loader/loader_path.h"
#include "loader/loader_refusal.h"
#include "namespace_budget.h"
#include "os/per_process.h"
#include "os/stack_size.h"
#include "os/thread_state.h"
#include "status/abi_check.h"
#include "status/report.h"
#include "thread_refusal.h"

namespace chiphost::isolate {

namespace {

constexpr uint64_t flush_ns_max = 200'000'000;

// The namespaces of this process, whose C libraries do not know when it ends.
class Namespaces {
public:
    static Namespaces& of_this_process() {
        static os::PerProcess<Namespaces> namespaces;
        return namespaces.get([](Namespaces* inherited) {
            // A process that a fork made has its parent's handlers, which then find this process's own object.
            if (!inherited) atexit([] { of_this_process().flush_output(); });
            return new Namespaces;
        });
    }

    void add(Domain* domain) {
        const os::MutexLock lock(mutex_);
        if (count_ < domains_.size()) domains_[count_++] = domain;
    }

    void flush_output() {
        const os::MutexLock lock(mutex_);
        for (size_t i = 0; i < count_; ++i) domains_[i]->flush_output();
    }

private:
    os::Mutex mutex_;
    std::array<Domain*, 64> domains_ CH_GUARDED_BY(mutex_) = {};  // more than glibc has room for
    size_t count_ CH_GUARDED_BY(mutex_) = 0;
};

}  // namespace

Domain::Domain(Strategy strategy) : strategy_(strategy), process_(getpid()) {}

Status Domain::start(ch_error* out_error) {
    try {
        objects_ = objects();
    } catch (const std::bad_alloc&) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "anchor", "out of memory");
    }
    if (const int32_t failed = anchor_->create(loader::loader_gate_of_this_process(), &state_, &keeper_)) {
        return report(out_error, thread_refusal(os::usual_stack_bytes()), "anchor",
                      "cannot make the first thread of a domain: %s", strerror(failed));
    }
    return CH_OK;
}

Status Domain::open(Strategy strategy, const std::string& anchor_path, Domain** out_domain, ch_error* out_error) {
    if (strategy == Strategy::link_namespace) return open_namespace(anchor_path, out_domain, out_error);
    if (strategy == Strategy::process) {
        return report(out_error, CH_INVALID_ARGUMENT, "strategy", "a domain is a namespace or for copies");
    }

    // One domain for all copies of the process.
    struct ForCopies {
        os::Mutex mutex;
        Domain* domain CH_GUARDED_BY(mutex) = nullptr;
    };
    static os::PerProcess<ForCopies> of_this_process;
    ForCopies& copies = of_this_process.get([](ForCopies*) { return new ForCopies; });
    const os::MutexLock lock(copies.mutex);
    if (!copies.domain) {
        std::unique_ptr<Domain> domain(new Domain(Strategy::copy));
        domain->anchor_ = &anchor_of_this_program();
        CH_TRY(domain->start(out_error));
        copies.domain = domain.release();
    }
    *out_domain = copies.domain;
    return CH_OK;
}

#if defined(LM_ID_NEWLM) && !defined(CHIPHOST_WITHOUT_DLMOPEN)
// Threads of a namespace get memory from the program's malloc, by way of the loader. That takes no locks as long as the
// program's libc has never made a thread itself (docs/internals/namespaces.md, H13). A child made by fork() starts
// anew.
static Status leave_single_thread_mode(ch_error* out_error) {
#if __has_include(<sys/single_threaded.h>)
    if (!__libc_single_threaded) return CH_OK;
#endif
    try {
        std::thread([] {}).join();
    } catch (const std::exception& error) {
        return report(out_error, thread_refusal(os::usual_stack_bytes()), "dlmopen", "cannot make a thread: %s",
                      error.what());
    }
    return CH_OK;
}
#endif

Status Domain::open_namespace(const std::string& anchor_path, Domain** out_domain, ch_error* out_error) {
#if defined(LM_ID_NEWLM) && !defined(CHIPHOST_WITHOUT_DLMOPEN)  // a test builds it without
    if (const char* why = namespaces_unavailable()) {
        return report(out_error, CH_ISOLATION_UNAVAILABLE, anchor_path, "%s", why);
    }
    std::vector<char> file;
    CH_TRY(loader::read_file(anchor_path, &file, out_error));
    CH_TRY(loader::check_elf_library(file.data(), file.size(), anchor_path, out_error));

    CH_TRY(leave_single_thread_mode(out_error));
    // The domain is made before a namespace is spent, which cannot be given back.
    std::unique_ptr<Domain> domain(new Domain(Strategy::link_namespace));
    NamespaceBudget& budget = NamespaceBudget::of_this_process();
    const loader::LoaderPath path(anchor_path);
    CH_TRY(budget.take(anchor_path, out_error));
    void* handle = nullptr;
    {
        const loader::LoaderPass pass(loader::loader_gate_of_this_process());
        const os::ThreadStateGuard guard;  // the caller's thread, and constructors of what the anchor needs
        handle = dlmopen(LM_ID_NEWLM, path.c_str(), RTLD_NOW | RTLD_LOCAL);
    }
    if (!handle) return budget.refused(path.words(loader::loader_words(), anchor_path).c_str(), out_error);

    auto* entry = reinterpret_cast<ch_anchor_entry>(dlsym(handle, CH_ANCHOR_ENTRY));
    if (!entry) {
        return report(out_error, CH_ENTRY_MISSING, anchor_path, "wanted the function " CH_ANCHOR_ENTRY);
    }
    const ch_anchor* anchor = entry();
    const Expected expected{CH_ABI_ANCHOR, CH_ANCHOR_MAJOR, CH_ANCHOR_MINOR, sizeof(ch_anchor), ""};
    CH_TRY(check_header(anchor->header, expected, anchor_path, out_error));
    domain->anchor_ = anchor;
    domain->anchor_handle_ = handle;
    *out_domain = domain.release();
    Namespaces::of_this_process().add(*out_domain);
    return (*out_domain)->start(out_error);
#else
    (void)out_domain;
    return report(out_error, CH_ISOLATION_UNAVAILABLE, anchor_path, "this system's loader has no dlmopen");
#endif
}

int32_t Domain::call_keeper(ch_call call, const void* second, void* third) {
    const os::MutexLock lock(keeper_mutex_);
    int32_t ignored = CH_OK;
    if (flushes_) ch_mailbox_wait(keeper_, CH_MAILBOX_FOR_EVER, &ignored);
    flushes_ = false;
    return ch_mailbox_call(keeper_, call, state_, second, third);
}

Status Domain::lease_thread(ch_mailbox** out_mailbox, ch_error* out_error, uint64_t stack_bytes) {
    const uint64_t wanted = os::stack_bytes_for(stack_bytes);
    try {
        const os::MutexLock lock(threads_mutex_);
        const auto free = std::find_if(free_threads_.rbegin(), free_threads_.rend(),
                                       [&](const ch_mailbox* thread) { return thread->stack_bytes >= wanted; });
        if (free != free_threads_.rend()) {
            *out_mailbox = *free;
            free_threads_.erase(std::next(free).base());
            return CH_OK;
        }
        free_threads_.reserve(threads_leased_ + 1);  // so that return_thread never allocates
        ++threads_leased_;
    } catch (const std::bad_alloc&) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "anchor", "out of memory");
    }
    const int32_t code = call_keeper(anchor_->lease_thread, &wanted, out_mailbox);
    if (code == CH_OK) return CH_OK;
    {
        const os::MutexLock lock(threads_mutex_);
        --threads_leased_;
    }
    if (code == CH_THREAD_NOT_STARTED) {
        return report(out_error, CH_THREAD_NOT_STARTED, "anchor",
                      "the system refuses another thread, whatever its stack: the limit on threads and processes is "
                      "reached");
    }
    return report(out_error, CH_HOST_MEMORY_EXHAUSTED, stack_bytes ? "stack_bytes" : "anchor",
                  "the system refuses another thread with a stack of %llu bytes: there is no memory for it",
                  static_cast<unsigned long long>(wanted));
}

void Domain::return_thread(ch_mailbox* mailbox) {
    if (mailbox->spoiled) return;  // it parks for ever
    const os::MutexLock lock(threads_mutex_);
    free_threads_.push_back(mailbox);
}

Status Domain::open_library(const std::string& path, ch_library** out_library, ch_error* out_error, bool only_copy) {
    ch_open_request request{};
    request.binary.name = path.c_str();
    request.in_place = strategy_ == Strategy::link_namespace;
    request.only_copy = only_copy;
    request.out_library = out_library;
    return call_keeper(anchor_->open_library, &request, out_error);
}

Status Domain::find_symbol(ch_library* library, const char* symbol, const std::string& path, void** out_address,
                           ch_error* out_error) {
    *out_address = nullptr;
    const ch_symbol_request request{library, symbol, out_address};
    if (call_keeper(anchor_->find_symbol, &request, nullptr) != CH_OK) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, path, "out of memory while looking for %s", symbol);
    }
    if (!*out_address) return report(out_error, CH_ENTRY_MISSING, path, "wanted the function %s", symbol);
    return CH_OK;
}

Status Domain::ask(const ch_question& question, const std::string& path, const char* name, uint64_t* out_answer,
                   ch_error* out_error) {
    if (call_keeper(anchor_->ask, &question, out_answer) == CH_OK) return CH_OK;
    return report(out_error, CH_INTERNAL, path, "the runtime let an exception out of %s", name);
}

bool Domain::close_library(ch_library* library) {
    uint32_t unloaded = 0;
    call_keeper(anchor_->close_library, library, &unloaded);
    return unloaded != 0;
}

void Domain::flush(const std::string& key) {
    call_keeper(anchor_->flush, key.empty() ? nullptr : key.c_str(), nullptr);
}

bool Domain::clear() {
    flush("");
    return counts().libraries == 0 && holds_what_it_began_with();
}

bool Domain::has_foreign_threads(uint64_t since_ns) {
    uint64_t last = 0;
    return call_keeper(anchor_->last_foreign_thread, nullptr, &last) != CH_OK || (last > 0 && last >= since_ns);
}

// The loader changes the list only when something is loaded into this namespace or unloaded.
const link_map* Domain::first_object() const {
    link_map* object = nullptr;
    if (!anchor_handle_ || dlinfo(anchor_handle_, RTLD_DI_LINKMAP, &object) != 0) return nullptr;
    while (object->l_prev) object = object->l_prev;
    return object;
}

Domain::Objects Domain::objects() const {
    Objects objects;
    for (const link_map* object = first_object(); object; object = object->l_next) {
        objects.emplace_back(object->l_addr, object->l_name);
    }
    return objects;
}

// Allocates nothing: a namespace must not be lost for want of memory.
bool Domain::holds_what_it_began_with() const {
    size_t count = 0;
    for (const link_map* object = first_object(); object; object = object->l_next, ++count) {
        if (count == objects_.size() || objects_[count].first != object->l_addr ||
            objects_[count].second != object->l_name) {
            return false;
        }
    }
    return count == objects_.size();
}

ch_anchor_counts Domain::counts() {
    ch_anchor_counts counts{};
    call_keeper(anchor_->count, nullptr, &counts);
    const os::MutexLock lock(threads_mutex_);
    counts.threads_free += free_threads_.size();
    return counts;
}

void Domain::flush_output() {
    if (!keeper_mutex_.try_lock()) return;
    const os::MutexLock lock(keeper_mutex_, std::adopt_lock);
    if (!keeper_ || flushes_) return;
    ch_mailbox_post(keeper_, anchor_->count, state_, nullptr, &unused_counts_);  // any call does it
    int32_t code = CH_OK;
    flushes_ = !ch_mailbox_wait(keeper_, flush_ns_max, &code);  // nobody reads from a pipe that is full
}

std::vector<std::string> Domain::loaded_objects() const {
    std::vector<std::string> paths;
    for (auto& [address, path] : objects()) paths.push_back(path);
    return paths;
}

}  // namespace chiphost::isolate
