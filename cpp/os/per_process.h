// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <atomic>

namespace chiphost::os {

// The one T of this process; a child made by fork() makes its own. The parent's T is of no use there: if another thread
// held one of its locks at the fork, nobody is left to release it. For statics: constant-initialized, never destroyed.
template <typename T>
class PerProcess {
public:
    // Calls make(inherited), which returns a T*, the first time. `inherited` is the parent's T, nullptr without one;
    // its locks must not be taken.
    template <typename Make>
    T& get(Make&& make) {
        Entry* entry = current_.load(std::memory_order_acquire);
        while (!entry || entry->process != getpid()) {
            auto* fresh = new Entry{getpid(), make(entry ? entry->value : nullptr), entry};
            if (current_.compare_exchange_strong(entry, fresh)) return *fresh->value;
            delete fresh->value;  // another thread was first
            delete fresh;
        }
        return *entry->value;
    }

private:
    struct Entry {
        pid_t process;
        T* value;
        Entry* parent;  // so that leak checkers find it
    };
    std::atomic<Entry*> current_{nullptr};
};

}  // namespace chiphost::os
