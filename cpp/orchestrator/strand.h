// SPDX-License-Identifier: Apache-2.0
//
// An orchestration is a function that pauses: where it waits, and now and then.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <type_traits>

#include "chiphost/platform/aicpu.h"
#include "scheduler_interface.h"
#include "task_ring.h"

namespace chiphost::orchestrator {

// The strand of one orchestration. wait() and breathe() are called from inside of it; waiting() by any thread; the rest
// by the orchestrator's thread.
class Strand {
public:
    // Times that an orchestration may be resumed after the run was stopped, and so calls that it may make. One that
    // does not return by then never will: it catches what its calls throw, or looks at no error. Far more than an
    // orderly one takes, and quickly through.
    static constexpr uint32_t resumes_after_stop_max = 1 << 12;

    // Both are borrowed until the launch ends.
    void begin(platform::AicpuPort* port, SchedulerInterface* scheduler) {
        port_ = port;
        scheduler_ = scheduler;
    }

    // Begins the body or lets it go on. True: it has returned, or it is given up and will never be resumed.
    bool go_on(void (*body)(void*), void* argument);

    // True if going on would be of use: nothing is waited for, or it has happened.
    bool can_go_on() const {
        return !waiting_.load(std::memory_order_relaxed) || scheduler_->stopped() || ready_(ready_context_);
    }

    // True if tasks are waited for: then the thread wants to be woken. Ask after a task has let go of what it holds:
    // either this says yes, or the orchestration sees that.
    bool waiting() { return waiting_.fetch_add(0, std::memory_order_acq_rel) != 0; }

    // Says what is waited for.
    Missing missing() const { return missing_; }

    // Waits until ready() holds. False: the run is over.
    template <typename Ready>
    bool wait(Missing what, Ready&& ready);

    // Lets others get on, now and then; always when the run was stopped, so that go_on() can count. False: the
    // run is over.
    bool breathe();

private:
    // The thread's other work is done by whoever resumes the strand, or here.
    void pause() {
        if (!platform::pause_strand(port_)) scheduler_->work();
    }

    static constexpr uint32_t breathe_every = 32;  // calls; what the others need then is still in the caches

    platform::AicpuPort* port_ = nullptr;
    SchedulerInterface* scheduler_ = nullptr;
    bool over_ = false;  // returned or given up
    uint32_t resumes_after_stop_ = 0;
    uint64_t calls_ = 0;
    Missing missing_ = Missing::none;
    bool (*ready_)(const void*) = nullptr;
    const void* ready_context_ = nullptr;
    std::atomic<uint32_t> waiting_{0};
};

template <typename Ready>
bool Strand::wait(Missing what, Ready&& ready) {
    if (ready()) return true;
    missing_ = what;
    ready_ = [](const void* context) { return (*static_cast<const std::remove_reference_t<Ready>*>(context))(); };
    ready_context_ = &ready;
    // Whoever completes a task from now on sees this and wakes this thread; what was completed before is seen here.
    waiting_.exchange(1, std::memory_order_acq_rel);
    bool go = ready();
    while (!go && !scheduler_->stopped()) {
        pause();
        go = ready();
    }
    waiting_.store(0, std::memory_order_relaxed);
    missing_ = Missing::none;
    return go && !scheduler_->stopped();
}

}  // namespace chiphost::orchestrator
