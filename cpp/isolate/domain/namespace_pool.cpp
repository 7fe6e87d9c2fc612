// SPDX-License-Identifier: Apache-2.0
#include "namespace_pool.h"

#include "os/per_process.h"
#include "status/status.h"

namespace chiphost::isolate {

NamespacePool& NamespacePool::of_this_process() {
    static os::PerProcess<NamespacePool> pool;
    return pool.get([](NamespacePool*) { return new NamespacePool; });
}

Status NamespacePool::take(const std::string& anchor_path, const GoOn& still_wanted, Domain** out_domain,
                           ch_error* out_error) {
    Reclaim reclaim = nullptr;
    {
        const os::MutexLock lock(mutex_);
        reclaim = reclaim_;
    }
    for (;;) {
        const Status failed = try_take(anchor_path, out_domain, out_error);
        // Somebody else may be faster and take what was given back.
        if (failed != CH_NAMESPACES_SPENT || !reclaim || !reclaim(still_wanted)) return failed;
    }
}

Status NamespacePool::try_take(const std::string& anchor_path, Domain** out_domain, ch_error* out_error) {
    Domain* not_started = nullptr;
    {
        const os::MutexLock lock(mutex_);
        if (!spare_.empty()) {
            *out_domain = spare_.back();
            spare_.pop_back();
            return CH_OK;
        }
        if (!not_started_.empty()) {
            not_started = not_started_.back();
            not_started_.pop_back();
        } else {
            // With this, giving a namespace back never allocates: none may be lost for want of memory.
            spare_.reserve(opened_ + 1);
            not_started_.reserve(opened_ + 1);
            ++opened_;
        }
    }
    const Status failed = not_started ? not_started->start(out_error)
                                      : Domain::open(Strategy::link_namespace, anchor_path, &not_started, out_error);
    if (failed.ok()) {
        *out_domain = not_started;
        return CH_OK;
    }
    const os::MutexLock lock(mutex_);
    if (not_started) {
        not_started_.push_back(not_started);
    } else {
        --opened_;
    }
    return failed;
}

void NamespacePool::give_back(Domain* domain) {
    const os::MutexLock lock(mutex_);
    spare_.push_back(domain);
}

void NamespacePool::set_reclaim(Reclaim reclaim) {
    const os::MutexLock lock(mutex_);
    reclaim_ = reclaim;
}

size_t NamespacePool::spare() {
    const os::MutexLock lock(mutex_);
    return spare_.size();
}

}  // namespace chiphost::isolate
