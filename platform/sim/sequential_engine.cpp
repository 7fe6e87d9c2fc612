// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

namespace chiphost::platform {

SequentialEngine::SequentialEngine(Oracle* oracle, const ch_run_progress* progress,
                                   std::vector<ch_trace_event>* out_trace, bool keeps_events)
    : Engine(false, keeps_events), progress_(progress), trace_(out_trace) {
    if (oracle) order_.emplace(oracle);
    hooks_.engine = this;
    hooks_.main_base_written = [](void* engine, uint32_t core, uint32_t thread, uint32_t value) {
        auto& self = *static_cast<SequentialEngine*>(engine);
        self.thread_of_core_[core] = static_cast<uint8_t>(thread);
        self.runnable_.insert(core);
        if (self.keeps_events_) self.events_.main_base(self.payloads_, core, thread, value);
        if (self.order_) self.order_->dispatched(core, value);
        if (self.trace_) self.record(core, CH_TRACE_DISPATCH, thread, value, -1);
    };
    hooks_.cond_written = [](void* engine, uint32_t core, uint32_t value) {
        auto& self = *static_cast<SequentialEngine*>(engine);
        self.runnable_.insert(first_aicpu + self.thread_of_core_[core]);
        if (self.keeps_events_) self.events_.cond(core, value);
        if (self.order_) self.order_->answered(core, value);
        if (self.trace_) self.record(core, CH_TRACE_COND, UINT8_MAX, value, -1);
    };
    hooks_.threads_signalled = [](void* engine, uint32_t thread) {
        auto& self = *static_cast<SequentialEngine*>(engine);
        self.runnable_.insert_all(self.aicpu_alive_.without(first_aicpu + thread));
    };
    hooks_.handed_over = [](void* engine, uint32_t core) {
        auto& self = *static_cast<SequentialEngine*>(engine);
        if (self.keeps_events_) self.events_.handed_over(core);
        self.processors_->for_each_neighbour(core, [&](uint32_t other) { self.runnable_.insert(other); });
    };
    hooks_.kernel_entered = nullptr;
    if (trace_ || order_) {
        hooks_.kernel_entered = [](void* engine, uint32_t core, const core_protocol::Payload* payload) {
            auto& self = *static_cast<SequentialEngine*>(engine);
            if (self.order_) self.order_->entered(core, *payload);
            if (!self.trace_) return;
            self.record(core, CH_TRACE_KERNEL, UINT8_MAX, static_cast<uint32_t>(payload->context.block_idx),
                        payload->context.task);
        };
    }
}

void SequentialEngine::record(uint32_t core, ch_trace_kind kind, uint32_t by, uint32_t value, int64_t task) {
    const auto ring = static_cast<uint8_t>(task < 0 ? 0 : task >> 32);
    trace_->push_back({step_, static_cast<uint8_t>(core), ring, static_cast<uint8_t>(kind), static_cast<uint8_t>(by),
                       value, static_cast<uint32_t>(task)});
}

End SequentialEngine::run(const Processors& processors) {
    static_assert(first_aicpu + Processors::max_aicpu_threads == ProcessorSet::capacity, "a set has all processors");
    processors_ = &processors;
    payloads_ = processors.payloads;
    for (uint32_t thread = 0; thread < processors.aicpu_threads; ++thread) aicpu_alive_.insert(first_aicpu + thread);
    for (uint32_t core = 0; core < processors.cores; ++core) runnable_.insert(core);
    runnable_.insert_all(aicpu_alive_);

    uint32_t at = first_aicpu;  // the handshake begins with the AICPU
    while (!aicpu_alive_.empty()) {
        if ((++step_ & 0xFF) == 0 && __atomic_load_n(&progress_->cancel, __ATOMIC_RELAXED)) return End::cancelled;
        if (runnable_.empty()) return End::stalled;
        const uint32_t processor = order_ ? order_->next_processor(runnable_, at) : runnable_.next(at);
        at = (processor + 1) % ProcessorSet::capacity;
        runnable_.erase(processor);  // first: the step itself may make the processor runnable again
        const bool is_core = processor < first_aicpu;
        const ch_step result =
            is_core ? processors.step_core(processor, 0) : processors.step_aicpu(processor - first_aicpu);

        if (order_) order_->stepped(processor, result);
        if (result == CH_STEP_WORKED || result == CH_STEP_POLL) {
            runnable_.insert(processor);
        } else if (result == CH_STEP_DONE) {
            runnable_.erase(processor);
            if (!is_core) aicpu_alive_.erase(processor);
        }
    }
    return End::finished;
}

}  // namespace chiphost::platform
