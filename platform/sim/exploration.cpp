// SPDX-License-Identifier: Apache-2.0
#include "exploration.h"

#include <algorithm>

#include "exhaustive_strategy.h"
#include "priority_strategies.h"

namespace chiphost::platform {

namespace {

// Every option with the same probability.
class RandomStrategy final : public Strategy {
public:
    RandomStrategy(Level level, uint64_t seed) : Strategy(level, false), seed_(seed), oracle_(seed, level) {}
    uint32_t choose(const Decision& decision) override { return oracle_.choose(decision); }
    void begin(uint64_t schedule) override {
        uint64_t state = seed_ ^ next_random(&schedule);
        oracle_.begin(next_random(&state));
    }
    bool ended(uint64_t) override { return true; }

private:
    const uint64_t seed_;
    RandomOracle oracle_;
};

}  // namespace

std::unique_ptr<Strategy> make_strategy(const ch_exploration& wanted) {
    const Level level = wanted.level == CH_LEVEL_STEPS ? Level::steps : Level::tasks;
    switch (wanted.strategy) {
        case CH_STRATEGY_PCT:
            return std::make_unique<PctStrategy>(level, wanted.seed, wanted.depth);
        case CH_STRATEGY_POS:
            return std::make_unique<PosStrategy>(level, wanted.seed);
        case CH_STRATEGY_EXHAUSTIVE:
            return std::make_unique<ExhaustiveStrategy>(level, wanted.every_core != 0, wanted.race_free != 0);
        default:
            return std::make_unique<RandomStrategy>(level, wanted.seed);
    }
}

Exploration::Exploration(const ch_exploration& wanted)
    : strategy_(make_strategy(wanted)), default_order_(strategy_.get()) {}

Oracle* Exploration::begin(const ch_exploration& wanted, uint64_t schedule, const graph::Image* graph) {
    strategy_->look_at(graph);
    Oracle* oracle = strategy_.get();
    replay_.reset();
    if (schedule == 0) {
        oracle = &default_order_;
    } else if (wanted.strategy == CH_STRATEGY_REPLAY) {
        oracle = &replay_.emplace(strategy_->level(), wanted.log, wanted.log_count);
    } else {
        strategy_->begin(schedule);
    }
    return &log_.emplace(oracle, &chosen_);
}

void Exploration::ended(const Order& order, ch_exploration* out_results) {
    const bool counts = !replay_;
    if (counts) {
        if (!strategy_->repeats()) {
            ++schedules_;
            orders_.insert(order.digest());
        }
        events_ = std::max(events_, order.kernels());
        decisions_ = std::max<uint64_t>(decisions_, log_->count());
        const bool more = strategy_->ended(log_->count());
        out_results->outcome = more ? CH_EXPLORED_NOTHING : CH_EXPLORED_ALL;
    } else {
        out_results->outcome = CH_EXPLORED_ALL;
    }
    out_results->schedules = schedules_;
    out_results->orders = orders_.size();
    out_results->events = events_;
    out_results->decisions = decisions_;
    out_results->found = chosen_.data();
    out_results->found_count = chosen_.size();
}

}  // namespace chiphost::platform
