// SPDX-License-Identifier: Apache-2.0
//
// Work::signal: a thread signals the others when they sleep, which must wake them.
#pragma once

#include <stdint.h>

#include "chiphost/abi/device_program.h"
#include "chiphost/platform/aicpu.h"
#include "conformance/script.h"
#include "launch_memory.h"

namespace chiphost::conformance {

// The time in which no thread is stepped before the signal, the longest wait for that, and the time that
// a thread may take to be stepped after the signal.
constexpr uint64_t quiet_ns = 10'000'000;
constexpr uint64_t quiet_patience_ns = 100'000'000;
constexpr uint64_t wake_up_patience_ns = 5'000'000'000;

class SignalWatch {
public:
    SignalWatch(Script& script, uint32_t thread_count) : script_(script), thread_count_(thread_count) {}

    // Thread 1 signals when the others have been asleep for a while. All stay until the others have been stepped: once
    // a thread ends, answers of its cores might wake those that the signal has not.
    ch_step step(uint32_t index, platform::AicpuPort* port) {
        if (index != 1) {
            ThreadRecord& record = script_.threads[index];
            const uint32_t word = __atomic_load_n(&script_.word, __ATOMIC_ACQUIRE);
            if (word == 0) {
                __atomic_fetch_add(&record.waited, 1, __ATOMIC_RELEASE);
                return CH_STEP_IDLE;
            }
            __atomic_store_n(&record.woken, 1, __ATOMIC_RELEASE);
            return word == 1 ? CH_STEP_POLL : CH_STEP_DONE;
        }
        uint32_t asleep = 0, woken = 0, steps = 0;
        for (uint32_t other = 0; other < thread_count_; ++other) {
            if (other == 1) continue;
            const uint32_t waited = __atomic_load_n(&script_.threads[other].waited, __ATOMIC_ACQUIRE);
            asleep += waited != 0;
            steps += waited;
            woken += __atomic_load_n(&script_.threads[other].woken, __ATOMIC_ACQUIRE);
        }
        const uint64_t now = now_ns();
        if (signalled_) {
            const bool all = woken == thread_count_ - 1;
            if (!all && now - since_ns_ < wake_up_patience_ns) return CH_STEP_POLL;
            for (ThreadRecord& record : script_.threads) {
                record.signalled = __atomic_load_n(&record.woken, __ATOMIC_ACQUIRE);
            }
            __atomic_store_n(&script_.word, 2, __ATOMIC_RELEASE);
            return CH_STEP_DONE;
        }
        if (since_ns_ == 0 || asleep < thread_count_ - 1 || steps != steps_) since_ns_ = now;
        steps_ = steps;
        // Threads that never sleep are never quiet.
        const bool quiet = now - since_ns_ > quiet_ns;
        if (begun_ns_ == 0) begun_ns_ = now;
        if (!quiet && (asleep < thread_count_ - 1 || now - begun_ns_ < quiet_patience_ns)) {
            return CH_STEP_POLL;
        }
        __atomic_store_n(&script_.word, 1, __ATOMIC_RELEASE);
        platform::signal_threads(port);
        signalled_ = true;
        since_ns_ = now;
        return CH_STEP_POLL;
    }

private:
    Script& script_;
    const uint32_t thread_count_;
    // Fields of thread 1.
    bool signalled_ = false;
    uint32_t steps_ = 0;
    uint64_t since_ns_ = 0, begun_ns_ = 0;
};

}  // namespace chiphost::conformance
