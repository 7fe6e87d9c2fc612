// SPDX-License-Identifier: Apache-2.0
#include "turn.h"

#include <chrono>

namespace chiphost::isolate {

void Turn::lock() {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [&] { return !taken_; });
    taken_ = true;
}

bool Turn::lock_for(uint64_t ns) {
    std::unique_lock lock(mutex_);
    if (!free_.wait_for(lock, std::chrono::nanoseconds(ns), [&] { return !taken_; })) return false;
    return taken_ = true;
}

void Turn::unlock() {
    const std::lock_guard lock(mutex_);
    taken_ = false;
    free_.notify_one();
}

}  // namespace chiphost::isolate
