// SPDX-License-Identifier: Apache-2.0
#include "child_pool.h"

#include <stdlib.h>

#include "per_process.h"

namespace chiphost::isolate {

ChildPool& ChildPool::of_this_process() {
    static PerProcess<ChildPool> pool;
    return pool.get([](ChildPool* inherited) {
        // A process that a fork made has its parent's handlers: they then find this process's own pool.
        if (!inherited) {
            atexit([] {
                ChildPool& ending = of_this_process();
                {
                    const std::lock_guard lock(ending.mutex_);
                    ending.ending_ = true;
                }
                ending.end_idle();
            });
        }
        return new ChildPool;
    });
}

int32_t ChildPool::take(const std::string& key, const std::string& program, std::unique_ptr<ChildProcess>* out_child,
                        ch_error* out_error) {
    for (;;) {
        std::unique_ptr<ChildProcess> found;
        {
            const std::lock_guard lock(mutex_);
            for (auto idle = idle_.begin(); idle != idle_.end() && !found; ++idle) {
                if (idle->key != key) continue;
                found = std::move(idle->child);
                idle_.erase(idle);
                break;
            }
        }
        if (!found) return ChildProcess::start(program, out_child, out_error);
        if (found->usable()) {
            *out_child = std::move(found);
            return CH_OK;
        }
    }
}

void ChildPool::give_back(const std::string& key, std::unique_ptr<ChildProcess> child) {
    if (!child->usable()) return;
    child->memory().trim();
    Idle too_many;
    const std::lock_guard lock(mutex_);
    if (ending_) return;
    idle_.push_front({key, std::move(child)});
    if (idle_.size() > idle_max) {
        too_many = std::move(idle_.back());
        idle_.pop_back();
    }
}

void ChildPool::end_idle() {
    std::list<Idle> ended;
    const std::lock_guard lock(mutex_);
    ended.swap(idle_);
}

size_t ChildPool::idle() {
    const std::lock_guard lock(mutex_);
    return idle_.size();
}

}  // namespace chiphost::isolate
