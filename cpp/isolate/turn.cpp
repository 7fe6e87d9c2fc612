// SPDX-License-Identifier: Apache-2.0
#include "turn.h"

#include <chrono>

namespace chiphost::isolate {

void Turn::lock() {
    os::MutexLock lock(mutex_);
    free_.wait(lock, [&]() CH_REQUIRES(mutex_) { return !taken_; });
    taken_ = true;
}

bool Turn::lock_for(uint64_t ns) {
    os::MutexLock lock(mutex_);
    const auto is_free = [&]() CH_REQUIRES(mutex_) { return !taken_; };
    if (!free_.wait_for(lock, std::chrono::nanoseconds(ns), is_free)) return false;
    return taken_ = true;
}

void Turn::unlock() {
    const os::MutexLock lock(mutex_);
    taken_ = false;
    free_.notify_one();
}

}  // namespace chiphost::isolate
