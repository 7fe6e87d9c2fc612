// SPDX-License-Identifier: Apache-2.0
#include "namespace_pool.h"

#include "per_process.h"

namespace chiphost::isolate {

NamespacePool& NamespacePool::of_this_process() {
    static PerProcess<NamespacePool> pool;
    return pool.get([](NamespacePool*) { return new NamespacePool; });
}

int32_t NamespacePool::take(const std::string& anchor_path, Domain** out_domain, ch_error* out_error) {
    {
        const std::lock_guard lock(mutex_);
        if (!spare_.empty()) {
            *out_domain = spare_.back();
            spare_.pop_back();
            return CH_OK;
        }
    }
    return Domain::open(Strategy::link_namespace, anchor_path, out_domain, out_error);
}

void NamespacePool::give_back(Domain* domain) {
    const std::lock_guard lock(mutex_);
    spare_.push_back(domain);
}

size_t NamespacePool::spare() {
    const std::lock_guard lock(mutex_);
    return spare_.size();
}

}  // namespace chiphost::isolate
