// SPDX-License-Identifier: Apache-2.0
//
// Strategies that give everything that could happen a random priority, and let the highest happen.
#pragma once

#include <stdint.h>

#include <unordered_map>
#include <vector>

#include "strategy.h"

namespace chiphost::platform {

// What both have in common: random numbers that depend on the seed, the schedule and a name only.
class PriorityStrategy : public Strategy {
public:
    void begin(uint64_t schedule) override { state_ = mixed(seed_ ^ mixed(schedule)); }

protected:
    PriorityStrategy(Level level, uint64_t seed) : Strategy(level, true), seed_(seed) {}

    static uint64_t mixed(uint64_t word) { return next_random(&word); }
    uint64_t priority(uint64_t name) const { return mixed(state_ ^ mixed(name)); }
    uint32_t below(uint32_t count) {
        return static_cast<uint32_t>((next_random(&state_for_cores_) >> 32) * count >> 32);
    }
    void begin_cores() { state_for_cores_ = mixed(state_ + 1); }

private:
    const uint64_t seed_;
    uint64_t state_ = 0;
    uint64_t state_for_cores_ = 0;
};

// Probabilistic concurrency testing (S. Burckhardt and others, "A randomized scheduler with probabilistic guarantees of
// finding bugs", 2010). At the level of tasks every task is a thread of its own; docs/explore.md has the bound and its
// proof. At the level of steps every processor is a thread, and depth - 1 times the one that steps gets a priority
// below all others.
class PctStrategy final : public PriorityStrategy {
public:
    PctStrategy(Level level, uint64_t seed, uint32_t depth) : PriorityStrategy(level, seed), depth_(depth) {}
    uint32_t choose(const Decision& decision) override;
    void begin(uint64_t schedule) override;
    bool ended(uint64_t decisions) override;
    void heard(const Decision& decision) override { step_ += decision.what == graph::Choice::processor; }

private:
    uint64_t rank(const Decision& decision, uint32_t option) const;

    const uint32_t depth_;
    uint32_t steps_max_ = 1;
    uint32_t step_ = 0;              // choices between processors so far
    std::vector<uint32_t> changes_;  // steps at which a priority is lowered, the first to the lowest
    std::unordered_map<uint64_t, uint64_t> lowered_;
};

// Partial order sampling (X. Yuan, J. Yang, R. Gu, "Partial order aware concurrency sampling", 2018): when one of two
// events that meet has happened, the other draws its priority anew. Two tasks meet if a third waits for both; two
// steps, if one is of a core and the other of an AICPU thread.
class PosStrategy final : public PriorityStrategy {
public:
    PosStrategy(Level level, uint64_t seed) : PriorityStrategy(level, seed) {}
    uint32_t choose(const Decision& decision) override;
    void begin(uint64_t schedule) override;
    bool ended(uint64_t) override { return true; }

private:
    uint64_t rank(const Decision& decision, uint32_t option) const;
    void draw_again(const Decision& decision, uint32_t chosen);

    std::unordered_map<uint64_t, uint64_t> drawn_;  // how often, by name
};

}  // namespace chiphost::platform
