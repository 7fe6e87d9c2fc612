// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <vector>

#include "chiphost/abi/device_program.h"
#include "graph/choices.h"
#include "oracle.h"
#include "processor_set.h"
#include "sim_port.h"

namespace chiphost::platform {

// The order of one launch, as an oracle chooses it: asks the oracle where there is a choice, in the detail that it
// wants. Used by the thread that steps.
//
// At the level of tasks a task is started when it is to run, and not before: so every order that the graph allows can
// be chosen, however few cores there are. What several blocks, or several cores of a cluster, start at once is run one
// after the other, and other tasks may come in between.
class Order {
public:
    // The oracle is borrowed.
    explicit Order(Oracle* oracle) : oracle_(*oracle) {
        choices_.oracle = this;
        choices_.choose = [](void* order, graph::Choice what, const uint64_t* options, uint32_t count) {
            return static_cast<Order*>(order)->choose(what, options, count);
        };
    }
    Order(const Order&) = delete;
    Order& operator=(const Order&) = delete;

    // For the device's programs.
    const graph::Choices& choices() const { return choices_; }

    // Returns who steps next. `runnable` must not be empty; `at` is whose turn it would be.
    uint32_t next_processor(const ProcessorSet& runnable, uint32_t at);

    // A core was given a dispatch, or has finished one.
    void dispatched(uint32_t core, uint32_t number);
    void answered(uint32_t core, uint32_t cond);

    // A processor has taken a step. One that only polled is not asked again before another has done something.
    void stepped(uint32_t processor, ch_step result) {
        if (result == CH_STEP_POLL) {
            polled_.insert(processor);
        } else {
            polled_.clear();
        }
    }

    // A core has entered a kernel.
    void entered(uint32_t core, const core_protocol::Payload& payload);

    // A number that differs, as good as certainly, where the order of tasks and blocks on cores does; and how many of
    // these there were.
    uint64_t digest() const { return digest_; }
    uint64_t kernels() const { return kernels_; }

private:
    static constexpr uint32_t none = UINT32_MAX;

    uint32_t choose(graph::Choice what, const uint64_t* options, uint32_t count);
    uint32_t choose_event(const uint64_t* options, uint32_t count);
    uint32_t choose_processor(const ProcessorSet& from, uint32_t at, bool as_events);
    uint32_t ask(graph::Choice what, const uint64_t* options, uint32_t count) {
        if (count >= 2) return oracle_.choose({what, count, options});
        if (oracle_.wants_names()) oracle_.forced({what, count, options});
        return 0;
    }
    uint64_t event_of(uint32_t core) const { return core_event(core, number_[core]); }

    Oracle& oracle_;
    graph::Choices choices_{};
    ProcessorSet runnable_;  // when a processor was last chosen
    ProcessorSet loaded_;    // cores that have a dispatch they have not finished
    ProcessorSet fresh_;     // those of them that got it after the last of them stepped
    uint32_t number_[cores_max] = {};
    ProcessorSet polled_;  // processors that wait for others to do something
    uint64_t digest_ = 0;
    uint64_t kernels_ = 0;
    uint32_t chosen_ = none;  // the core that is to step next
    std::vector<uint64_t> options_;
};

}  // namespace chiphost::platform
