// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

namespace chiphost::platform {

namespace {

constexpr uint32_t looks = 500;                // pause instructions before a worker sleeps: about what a wake-up costs
constexpr uint64_t sleep_ns_max = 20'000'000;  // a sleeping worker looks for a cancel this often

}  // namespace

ParallelEngine::ParallelEngine(const std::vector<ch_mailbox*>& helpers, ch_run_progress* progress, bool keeps_events)
    : Engine(true, keeps_events),
      helpers_(helpers),
      progress_(progress),
      workers_(static_cast<uint32_t>(helpers.size()) + 1) {
    hooks_.engine = this;
    hooks_.main_base_written = [](void* engine, uint32_t core, uint32_t thread, uint32_t value) {
        auto& self = *static_cast<ParallelEngine*>(engine);
        if (self.keeps_events_) self.events_.main_base(self.payloads_, core, thread, value);
        self.thread_of_core_[core].store(static_cast<uint8_t>(thread), std::memory_order_relaxed);
        self.wake(core);
    };
    hooks_.cond_written = [](void* engine, uint32_t core, uint32_t value) {
        auto& self = *static_cast<ParallelEngine*>(engine);
        if (self.keeps_events_) self.events_.cond(core, value);
        self.wake(first_aicpu + self.thread_of_core_[core].load(std::memory_order_relaxed));
    };
    hooks_.threads_signalled = [](void* engine, uint32_t thread) {
        auto& self = *static_cast<ParallelEngine*>(engine);
        for (uint32_t other = 0; other < self.processors_->aicpu_threads; ++other) {
            if (other != thread) self.wake(first_aicpu + other);
        }
    };
    hooks_.handed_over = [](void* engine, uint32_t core) {
        auto& self = *static_cast<ParallelEngine*>(engine);
        if (self.keeps_events_) self.events_.handed_over(core);
        self.processors_->for_each_neighbour(core, [&](uint32_t other) { self.wake(other); });
    };
    hooks_.kernel_entered = nullptr;
}

int32_t ParallelEngine::help(void* engine, const void* helper, void*) {
    auto& self = *static_cast<ParallelEngine*>(engine);
    const uint32_t lane = static_cast<const Helper*>(helper)->lane;
    // Not by who posts the work: a thread that has just been made does not have its number yet.
    const int32_t thread = __atomic_load_n(&self.helpers_[lane - 1]->system_id, __ATOMIC_RELAXED);
    __atomic_store_n(&self.progress_->lanes[lane].thread, thread, __ATOMIC_RELAXED);
    self.work(lane);
    return CH_OK;
}

End ParallelEngine::run(const Processors& processors) {
    processors_ = &processors;
    payloads_ = processors.payloads;
    aicpu_left_.store(processors.aicpu_threads);
    for (uint32_t thread = 0; thread < processors.aicpu_threads; ++thread) wake(first_aicpu + thread);
    for (uint32_t core = 0; core < processors.cores; ++core) wake(core);

    std::vector<Helper> records(helpers_.size());
    for (uint32_t i = 0; i < helpers_.size(); ++i) {
        records[i] = Helper{this, i + 1};
        ch_mailbox_post(helpers_[i], help, this, &records[i], nullptr);
    }
    work(0);
    for (ch_mailbox* helper : helpers_) {
        int32_t code = CH_OK;
        ch_mailbox_wait(helper, CH_MAILBOX_FOR_EVER, &code);
    }
    return how_.load();
}

void ParallelEngine::work(uint32_t lane) {
    uint32_t at = first_aicpu + lane;  // workers begin in different places
    uint32_t steps = 0;
    while (!over_.load(std::memory_order_acquire)) {
        if ((++steps & 0xFF) == 0 && __atomic_load_n(&progress_->cancel, __ATOMIC_RELAXED)) end(End::cancelled);
        const uint32_t processor = claim(at & 127);
        if (processor != none) {
            at = processor + 1;
            step(processor, lane);
        } else if (!wait_for_work()) {
            return;
        }
    }
}

// Takes a runnable processor out of the set: the claimer alone may step it.
uint32_t ParallelEngine::claim(uint32_t from) {
    uint32_t word = from >> 6;
    uint64_t wanted = ~uint64_t{0} << (from & 63);
    for (uint32_t half = 0; half < 3; ++half) {
        uint64_t bits = runnable_[word].load(std::memory_order_relaxed) & wanted;
        while (bits != 0) {
            const uint64_t bit = bits & (~bits + 1);
            if (runnable_[word].fetch_and(~bit) & bit) {
                const uint32_t processor = word * 64 + static_cast<uint32_t>(__builtin_ctzll(bit));
                state_[processor].exchange(running);
                return processor;
            }
            bits &= ~bit;
        }
        word ^= 1;
        wanted = ~uint64_t{0};
    }
    return none;
}

void ParallelEngine::step(uint32_t processor, uint32_t lane) {
    const bool is_core = processor < first_aicpu;

    const ch_step result =
        is_core ? processors_->step_core(processor, lane) : processors_->step_aicpu(processor - first_aicpu);

    if (result == CH_STEP_DONE) {
        state_[processor].store(gone);
        if (!is_core && aicpu_left_.fetch_sub(1) == 1) end(End::finished);
        return;
    }
    if (result == CH_STEP_IDLE) {
        uint8_t expected = running;
        if (state_[processor].compare_exchange_strong(expected, asleep)) return;
        // Something happened for it meanwhile.
    }
    enqueue(processor);
}

// There may be something to do for the processor. Every change of a state is a read-modify-write, also where the value
// stays the same: so whoever steps the processor next has seen what was written before it was woken.
void ParallelEngine::wake(uint32_t processor) {
    uint8_t state = state_[processor].load(std::memory_order_relaxed);
    for (;;) {
        uint8_t next = state;
        if (state == asleep) next = queued;
        if (state == running) next = running_again;
        if (!state_[processor].compare_exchange_weak(state, next)) continue;
        if (state == asleep) enqueue(processor);
        return;
    }
}

void ParallelEngine::enqueue(uint32_t processor) {
    state_[processor].exchange(queued);
    runnable_[processor >> 6].fetch_or(uint64_t{1} << (processor & 63));
    if (idle_workers_.load() != 0) {
        __atomic_fetch_add(&wake_ups_, 1, __ATOMIC_SEQ_CST);
        ch_futex_wake(&wake_ups_);
    }
}

// False: the launch is over.
bool ParallelEngine::wait_for_work() {
    for (uint32_t look = 0; look < looks; ++look) {
        if (over_.load(std::memory_order_acquire)) return false;
        if ((runnable_[0].load(std::memory_order_relaxed) | runnable_[1].load(std::memory_order_relaxed)) != 0) {
            return true;
        }
        ch_pause();
    }
    const uint32_t seen = __atomic_load_n(&wake_ups_, __ATOMIC_SEQ_CST);
    const bool last = idle_workers_.fetch_add(1) + 1 == workers_;
    // From here on whoever makes a processor runnable sees this worker as idle and wakes it.
    if ((runnable_[0].load() | runnable_[1].load()) == 0 && !over_.load()) {
        if (last) {
            // Nobody steps anything and nothing is runnable: nothing will ever be.
            end(End::stalled);
        } else {
            ch_futex_wait(&wake_ups_, seen, sleep_ns_max);
        }
    }
    idle_workers_.fetch_sub(1);
    if (__atomic_load_n(&progress_->cancel, __ATOMIC_RELAXED)) end(End::cancelled);
    return !over_.load();
}

void ParallelEngine::end(End how) {
    bool was_over = false;
    if (over_.compare_exchange_strong(was_over, true)) how_.store(how);
    __atomic_fetch_add(&wake_ups_, 1, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < workers_; ++i) ch_futex_wake(&wake_ups_);
}

}  // namespace chiphost::platform
