// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <condition_variable>
#include <mutex>

namespace chiphost::isolate {

// A mutex that a thread can wait for a while. (ThreadSanitizer does not know how std::timed_mutex waits.)
class Turn {
public:
    void lock();
    bool lock_for(uint64_t ns);
    void unlock();

private:
    std::mutex mutex_;  // never held for long
    std::condition_variable free_;
    bool taken_ = false;
};

}  // namespace chiphost::isolate
