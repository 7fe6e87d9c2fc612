// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "os/mutex.h"

namespace chiphost::isolate {

// A mutex that a thread can wait for a while. (ThreadSanitizer does not know how std::timed_mutex waits.)
class Turn {
public:
    void lock();
    bool lock_for(uint64_t ns);
    void unlock();

private:
    os::Mutex mutex_;  // never held for long
    os::Condition free_;
    bool taken_ CH_GUARDED_BY(mutex_) = false;
};

}  // namespace chiphost::isolate
