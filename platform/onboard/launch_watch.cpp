// SPDX-License-Identifier: Apache-2.0
#include "launch_watch.h"

#include <time.h>

namespace chiphost::platform {

namespace {

constexpr uint64_t patience_ns = 200'000'000;  // for cores that are to exit

uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

void look_after(LaunchWatch* watch, AicpuPort* port) {
    watch->look(*port);
}

void LaunchWatch::begin(const ch_aicpu_program* program, void* context, const LaunchRecord* record,
                        const AicpuPort* ports) {
    program_ = program;
    context_ = context;
    record_ = record;
    ports_ = ports;
    end_.store(End::none, std::memory_order_relaxed);
    stopped_ns_.store(0, std::memory_order_relaxed);
    last_activity_ = 0;
    last_change_ns_ = now_ns();
}

uint64_t LaunchWatch::activity() const {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < record_->threads; ++i) sum += __atomic_load_n(&ports_[i].activity, __ATOMIC_RELAXED);
    return sum;
}

void LaunchWatch::look(const AicpuPort& port) {
    if (end() != End::none) return;
    invalidate_cache(&record_->cancel, sizeof record_->cancel);
    if (__atomic_load_n(&record_->cancel, __ATOMIC_ACQUIRE) != 0) {
        stop(End::cancelled);
        return;
    }
    if (port.thread != 0 || record_->stall_ns == 0) return;
    const uint64_t now = now_ns(), sum = activity();
    if (sum != last_activity_) {
        last_activity_ = sum;
        last_change_ns_ = now;
    } else if (now - last_change_ns_ > record_->stall_ns) {
        stop(End::stalled);
    }
}

void LaunchWatch::stop(End why) {
    End none = End::none;
    if (!end_.compare_exchange_strong(none, why, std::memory_order_acq_rel)) return;
    stopped_ns_.store(now_ns(), std::memory_order_release);
    program_->stop(context_);
}

bool LaunchWatch::may_leave() const {
    const uint64_t stopped = stopped_ns_.load(std::memory_order_acquire);
    return stopped != 0 && now_ns() - stopped > patience_ns;
}

}  // namespace chiphost::platform
