// SPDX-License-Identifier: Apache-2.0
#include "order.h"

namespace chiphost::platform {

using core_protocol::cond_finish_bit;
using graph::Choice;

void Order::dispatched(uint32_t core, uint32_t number) {
    if (number == core_protocol::main_base_idle || number == core_protocol::main_base_exit) return;
    number_[core] = number;
    loaded_.insert(core);
    fresh_.insert(core);
}

void Order::answered(uint32_t core, uint32_t cond) {
    if (cond == (number_[core] | cond_finish_bit)) loaded_.erase(core);
}

void Order::entered(uint32_t core, const core_protocol::Payload& payload) {
    uint64_t word = digest_ ^ static_cast<uint64_t>(payload.context.task);
    word = next_random(&word) ^ (uint64_t{core} << 32 | static_cast<uint32_t>(payload.context.block_idx));
    digest_ = next_random(&word);
    ++kernels_;
}

uint32_t Order::next_processor(const ProcessorSet& runnable, uint32_t at) {
    if (oracle_.level() == Level::steps) {
        const ProcessorSet able = runnable.without(polled_);
        return choose_processor(able.empty() ? runnable : able, at, false);
    }
    const ProcessorSet others = runnable.without(loaded_);
    if (!others.empty()) {
        runnable_ = runnable;
        return others.next(at);
    }
    uint32_t core = chosen_;
    if (core == none || !runnable.contains(core)) {
        const ProcessorSet fresh = runnable.and_in(fresh_);
        core = choose_processor(fresh.empty() ? runnable : fresh, at, true);
    }
    chosen_ = none;
    fresh_.clear();
    return core;
}

uint32_t Order::choose_processor(const ProcessorSet& from, uint32_t at, bool as_events) {
    const uint32_t count = from.count();
    if (!oracle_.wants_names()) return from.next_but(ask(Choice::processor, nullptr, count), at);
    options_.clear();
    for (uint32_t i = 0, processor = at; i < count; ++i, ++processor) {
        processor = from.next(processor % ProcessorSet::capacity);
        options_.push_back(as_events ? event_of(processor) : processor);
    }
    return from.next_but(ask(Choice::processor, options_.data(), count), at);
}

uint32_t Order::choose(Choice what, const uint64_t* options, uint32_t count) {
    if (what == Choice::task) {
        if (oracle_.level() == Level::tasks) return choose_event(options, count);
        // If nothing is under way, a task that is put off would never be started.
        return ask(what, options, loaded_.empty() ? count - 1 : count);
    }
    if (oracle_.level() == Level::tasks && what != Choice::core) {
        return options[0] == graph::go_on ? 0 : 1;
    }
    return ask(what, options, count);
}

// Chooses between starting a task and letting one go on that was started; returns the index of a task, or of `later`.
uint32_t Order::choose_event(const uint64_t* options, uint32_t count) {
    const uint32_t put_off = count - 1;
    if (!fresh_.empty() || chosen_ != none) return put_off;
    options_.assign(options, options + put_off);
    const ProcessorSet going = loaded_.and_in(runnable_);
    const uint32_t cores = going.count();
    for (uint32_t i = 0, core = 0; i < cores; ++i, ++core) options_.push_back(event_of(core = going.next(core)));
    const uint32_t chosen = ask(Choice::task, options_.data(), put_off + cores);
    if (chosen < put_off) return chosen;
    chosen_ = going.next_but(chosen - put_off, 0);
    return put_off;
}

}  // namespace chiphost::platform
