// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <memory>

#include "chiphost/abi/host_runtime.h"
#include "graph/task.h"
#include "oracle.h"

namespace chiphost::platform {

// An oracle for many launches, which lets each have another order. Before the first of them there is a launch in the
// default order, of which it is not asked but hears.
class Strategy : public Oracle {
public:
    using Oracle::Oracle;

    // The graph that the next launch runs, in device memory.
    void look_at(const graph::Image* graph) { graph_ = graph; }

    // A launch begins.
    //
    // schedule: its number, counted from 1.
    virtual void begin(uint64_t schedule) = 0;

    // A launch has ended, or the one in the default order.
    //
    // decisions: choices that it had.
    // Returns: false if there is no other order.
    virtual bool ended(uint64_t decisions) = 0;

    // A launch in the default order makes this choice; only strategies that go by what was chosen before listen.
    virtual void heard(const Decision&) {}

    // True if the launch was only a repetition of an earlier one, which the strategy could not know before.
    virtual bool repeats() const { return false; }

protected:
    const graph::Image& graph() const { return *graph_; }

private:
    const graph::Image* graph_ = nullptr;
};

// Makes the strategy of an exploration; not for a replay. Throws std::bad_alloc.
std::unique_ptr<Strategy> make_strategy(const ch_exploration& wanted);

}  // namespace chiphost::platform
