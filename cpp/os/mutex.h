// SPDX-License-Identifier: Apache-2.0
//
// The standard library's mutex and condition variable, with the annotations that GNU's has not.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "thread_annotations.h"

namespace chiphost::os {

class CH_CAPABILITY("mutex") Mutex {
public:
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() CH_ACQUIRE() { mutex_.lock(); }
    void unlock() CH_RELEASE() { mutex_.unlock(); }
    bool try_lock() CH_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

private:
    friend class MutexLock;
    std::mutex mutex_;
};

// Holds a mutex as long as it lives, except between unlock() and lock(). Used by one thread.
class CH_SCOPED_CAPABILITY MutexLock {
public:
    explicit MutexLock(Mutex& mutex) CH_ACQUIRE(mutex) : lock_(mutex.mutex_) {}
    // Takes over a mutex that the caller holds.
    MutexLock(Mutex& mutex, std::adopt_lock_t adopt) CH_REQUIRES(mutex) : lock_(mutex.mutex_, adopt) {}
    ~MutexLock() CH_RELEASE() {}
    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;

    void lock() CH_ACQUIRE() { lock_.lock(); }
    void unlock() CH_RELEASE() { lock_.unlock(); }

private:
    friend class Condition;
    std::unique_lock<std::mutex> lock_;
};

// A condition variable. What is waited for is a function without parameters that says CH_REQUIRES(the mutex): it is
// called by who holds it, which clang cannot see from here.
class Condition {
public:
    template <typename Predicate>
    void wait(MutexLock& lock, Predicate&& predicate) CH_NO_THREAD_SAFETY_ANALYSIS {
        condition_.wait(lock.lock_, predicate);
    }

    // False: the time has passed, and it is not so.
    template <typename Rep, typename Period, typename Predicate>
    bool wait_for(MutexLock& lock, std::chrono::duration<Rep, Period> time,
                  Predicate&& predicate) CH_NO_THREAD_SAFETY_ANALYSIS {
        return condition_.wait_for(lock.lock_, time, predicate);
    }

    // Until somebody notifies, or the time has passed, or for no reason.
    template <typename Rep, typename Period>
    void wait_for(MutexLock& lock, std::chrono::duration<Rep, Period> time) {
        condition_.wait_for(lock.lock_, time);
    }

    void notify_one() { condition_.notify_one(); }
    void notify_all() { condition_.notify_all(); }

private:
    std::condition_variable condition_;
};

}  // namespace chiphost::os
