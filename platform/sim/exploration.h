// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "decision_log.h"
#include "order.h"
#include "strategy.h"

namespace chiphost::platform {

// An exploration of a device, from launch to launch: the strategy, and what was found so far. Used by one thread at a
// time.
class Exploration {
public:
    explicit Exploration(const ch_exploration& wanted);

    // Begins a launch. Returns the oracle that it is to ask, which is valid until the next.
    //
    // schedule: 0 for the default order; its number otherwise, which a replay does not have.
    // graph: in device memory.
    Oracle* begin(const ch_exploration& wanted, uint64_t schedule, const graph::Image* graph);

    // The launch has ended; writes what is known now.
    void ended(const Order& order, ch_exploration* out_results);

private:
    // The default order, while the strategy listens.
    class Listening final : public Oracle {
    public:
        explicit Listening(Strategy* strategy)
            : Oracle(strategy->level(), strategy->wants_names()), strategy_(*strategy) {}
        uint32_t choose(const Decision& decision) override {
            strategy_.heard(decision);
            return 0;
        }
        void forced(const Decision& decision) override { strategy_.forced(decision); }

    private:
        Strategy& strategy_;
    };

    const std::unique_ptr<Strategy> strategy_;
    Listening default_order_;
    std::optional<ReplayOracle> replay_;
    std::optional<DecisionLog> log_;
    std::vector<ch_decision> chosen_;
    std::unordered_set<uint64_t> orders_;
    uint64_t schedules_ = 0;
    uint64_t events_ = 0;
    uint64_t decisions_ = 0;
};

}  // namespace chiphost::platform
