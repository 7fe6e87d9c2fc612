// SPDX-License-Identifier: Apache-2.0
#include "engine.h"
#include "random.h"

namespace chiphost::platform {

SequentialEngine::SequentialEngine(uint64_t seed, const ch_run_progress* progress,
                                   std::vector<ch_trace_event>* out_trace, bool keeps_events)
    : Engine(false, keeps_events), seed_(seed), random_(seed), progress_(progress), trace_(out_trace) {
    hooks_.engine = this;
    hooks_.main_base_written = [](void* engine, uint32_t core, uint32_t thread, uint32_t value) {
        auto& self = *static_cast<SequentialEngine*>(engine);
        self.thread_of_core_[core] = static_cast<uint8_t>(thread);
        self.set_runnable(core);
        if (self.keeps_events_) self.events_.main_base(self.payloads_, core, thread, value);
        if (self.trace_) self.record(core, CH_TRACE_DISPATCH, thread, value, -1);
    };
    hooks_.cond_written = [](void* engine, uint32_t core, uint32_t value) {
        auto& self = *static_cast<SequentialEngine*>(engine);
        self.set_runnable(first_aicpu + self.thread_of_core_[core]);
        if (self.keeps_events_) self.events_.cond(core, value);
        if (self.trace_) self.record(core, CH_TRACE_COND, UINT8_MAX, value, -1);
    };
    hooks_.threads_signalled = [](void* engine, uint32_t thread) {
        auto& self = *static_cast<SequentialEngine*>(engine);
        self.runnable_[1] |= (self.aicpu_alive_ & ~(uint64_t{1} << thread)) << (first_aicpu & 63);
    };
    hooks_.handed_over = [](void* engine, uint32_t core) {
        auto& self = *static_cast<SequentialEngine*>(engine);
        if (self.keeps_events_) self.events_.handed_over(core);
        self.processors_->for_each_neighbour(core, [&](uint32_t other) { self.set_runnable(other); });
    };
    hooks_.kernel_entered = nullptr;
    if (trace_) {
        hooks_.kernel_entered = [](void* engine, uint32_t core, const core_protocol::Payload* payload) {
            static_cast<SequentialEngine*>(engine)->record(core, CH_TRACE_KERNEL, UINT8_MAX,
                                                           static_cast<uint32_t>(payload->context.block_idx),
                                                           payload->context.task);
        };
    }
}

void SequentialEngine::record(uint32_t core, ch_trace_kind kind, uint32_t by, uint32_t value, int64_t task) {
    const auto ring = static_cast<uint8_t>(task < 0 ? 0 : task >> 32);
    trace_->push_back({step_, static_cast<uint8_t>(core), ring, static_cast<uint8_t>(kind), static_cast<uint8_t>(by),
                       value, static_cast<uint32_t>(task)});
}

// First processor at or after `from`, going round. The set must not be empty.
uint32_t SequentialEngine::next_runnable(uint32_t from) const {
    uint32_t word = from >> 6;
    uint64_t bits = runnable_[word] & (~uint64_t{0} << (from & 63));
    while (bits == 0) bits = runnable_[word ^= 1];
    return word * 64 + static_cast<uint32_t>(__builtin_ctzll(bits));
}

End SequentialEngine::run(const Processors& processors) {
    static_assert(first_aicpu + Processors::max_aicpu_threads == 128 && first_aicpu >= 64, "AICPU bits fill word 1");
    processors_ = &processors;
    payloads_ = processors.payloads;
    aicpu_alive_ = (uint64_t{1} << processors.aicpu_threads) - 1;
    for (uint32_t core = 0; core < processors.cores; ++core) set_runnable(core);
    runnable_[1] |= aicpu_alive_ << (first_aicpu & 63);

    uint32_t at = first_aicpu;  // the handshake begins with the AICPU
    while (aicpu_alive_ != 0) {
        if ((++step_ & 0xFF) == 0 && __atomic_load_n(&progress_->cancel, __ATOMIC_RELAXED)) return End::cancelled;
        if ((runnable_[0] | runnable_[1]) == 0) return End::stalled;
        const uint32_t processor = next_runnable(seed_ == 0 ? at : next_random(&random_) & 127);
        at = (processor + 1) & 127;
        clear_runnable(processor);  // first: the step itself may make the processor runnable again
        const bool is_core = processor < first_aicpu;
        const ch_step result =
            is_core ? processors.step_core(processor, 0) : processors.step_aicpu(processor - first_aicpu);

        if (result == CH_STEP_WORKED || result == CH_STEP_POLL) {
            set_runnable(processor);
        } else if (result == CH_STEP_DONE) {
            clear_runnable(processor);
            if (!is_core) aicpu_alive_ &= ~(uint64_t{1} << (processor - first_aicpu));
        }
    }
    return End::finished;
}

}  // namespace chiphost::platform
