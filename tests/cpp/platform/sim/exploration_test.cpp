// SPDX-License-Identifier: Apache-2.0
#include "strategy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "decision_log.h"
#include "exhaustive_strategy.h"
#include "priority_strategies.h"

namespace chiphost::platform {

namespace {

using graph::Choice;

// Lets an oracle put `count` processors in an order; returns it.
std::vector<uint64_t> order_of(Oracle* oracle, uint32_t count) {
    std::vector<uint64_t> left, order;
    for (uint32_t i = 0; i < count; ++i) left.push_back(i);
    while (!left.empty()) {
        const auto options = static_cast<uint32_t>(left.size());
        const uint32_t chosen = options < 2 ? 0 : oracle->choose({Choice::processor, options, left.data()});
        EXPECT_LT(chosen, options);
        order.push_back(left[chosen]);
        left.erase(left.begin() + chosen);
    }
    return order;
}

}  // namespace

TEST(ExhaustiveStrategy, LetsEveryOrderHappenOnce) {
    ExhaustiveStrategy strategy(Level::tasks, false, false);
    std::set<std::vector<uint64_t>> orders;
    uint64_t schedules = 0;
    do {
        strategy.begin(++schedules);
        orders.insert(order_of(&strategy, 5));
    } while (strategy.ended(0));
    EXPECT_EQ(schedules, 120u);
    EXPECT_EQ(orders.size(), 120u);
}

TEST(ExhaustiveStrategy, TriesCoresOnlyIfAskedTo) {
    for (const bool every_core : {false, true}) {
        ExhaustiveStrategy strategy(Level::tasks, every_core, false);
        uint64_t schedules = 0;
        do {
            strategy.begin(++schedules);
            strategy.choose({Choice::task, 3, nullptr});
            strategy.choose({Choice::core, 4, nullptr});
        } while (strategy.ended(0));
        EXPECT_EQ(schedules, every_core ? 12u : 3u);
    }
}

// Launches that have other choices than the one before, which they must not, still come to an end.
TEST(ExhaustiveStrategy, EndsWhateverItIsAsked) {
    ExhaustiveStrategy strategy(Level::tasks, false, false);
    uint64_t schedules = 0;
    do {
        strategy.begin(++schedules);
        for (uint32_t i = 0; i < 3; ++i) {
            const uint32_t count = 2 + static_cast<uint32_t>((schedules + i) % 2);
            ASSERT_LT(strategy.choose({Choice::task, count, nullptr}), count);
        }
        ASSERT_LT(schedules, 100u);
    } while (strategy.ended(0));
}

TEST(DecisionLog, IsWhatAReplayTakes) {
    RandomOracle random(5, Level::tasks);
    std::vector<ch_decision> log;
    DecisionLog logged(&random, &log);
    const std::vector<uint64_t> order = order_of(&logged, 9);
    EXPECT_EQ(logged.count(), 8u);
    EXPECT_FALSE(log.empty());
    for (const ch_decision& decision : log) EXPECT_GT(decision.option, 0u);
    ReplayOracle replay(Level::tasks, log.data(), log.size());
    EXPECT_EQ(order_of(&replay, 9), order);
}

TEST(ReplayOracle, TakesTheDefaultWhereTheLogDoesNotFit) {
    const ch_decision log[] = {{1, 7}, {2, 1}};
    ReplayOracle replay(Level::tasks, log, 2);
    EXPECT_EQ(replay.choose({Choice::task, 2, nullptr}), 0u);
    EXPECT_EQ(replay.choose({Choice::task, 3, nullptr}), 0u);  // there is no option 7
    EXPECT_EQ(replay.choose({Choice::task, 3, nullptr}), 1u);
    EXPECT_EQ(replay.choose({Choice::task, 3, nullptr}), 0u);
}

// All orders come up, each about as often: the priorities are independent.
TEST(PctStrategy, GivesEveryOrderTheSameChance) {
    PctStrategy strategy(Level::tasks, 1, 2);
    std::map<std::vector<uint64_t>, int> orders;
    for (uint64_t schedule = 1; schedule <= 6000; ++schedule) {
        strategy.begin(schedule);
        ++orders[order_of(&strategy, 3)];
        EXPECT_TRUE(strategy.ended(2));
    }
    ASSERT_EQ(orders.size(), 6u);
    for (const auto& [order, times] : orders) EXPECT_NEAR(times, 1000, 150);
}

// At the level of steps the processor with the highest priority goes on, and depth - 1 times another takes over.
TEST(PctStrategy, ChangesItsMindDepthMinusOneTimes) {
    const uint64_t processors[] = {0, 1, 2};
    for (const uint32_t depth : {1u, 2u, 3u}) {
        PctStrategy strategy(Level::steps, 1, depth);
        const auto changes_in = [&](uint64_t schedule) {
            strategy.begin(schedule);
            uint32_t changes = 0, last = 0;
            for (int step = 0; step < 50; ++step) {
                const uint32_t chosen = strategy.choose({Choice::processor, 3, processors});
                if (step != 0 && chosen != last) ++changes;
                last = chosen;
            }
            strategy.ended(50);
            return changes;
        };
        changes_in(1);  // from now on the strategy knows how many steps there are
        uint32_t most = 0;
        for (uint64_t schedule = 2; schedule < 100; ++schedule) most = std::max(most, changes_in(schedule));
        EXPECT_EQ(most, depth - 1);
    }
}

TEST(PctStrategy, RepeatsASchedule) {
    PctStrategy one(Level::tasks, 7, 2), same(Level::tasks, 7, 2), other(Level::tasks, 8, 2);
    bool differs = false;
    for (uint64_t schedule = 1; schedule < 50; ++schedule) {
        for (Strategy* strategy : {&one, &same, &other}) strategy->begin(schedule);
        const std::vector<uint64_t> order = order_of(&one, 6);
        EXPECT_EQ(order_of(&same, 6), order);
        differs = differs || order_of(&other, 6) != order;
    }
    EXPECT_TRUE(differs);
}

TEST(PosStrategy, ReachesEveryOrder) {
    const graph::Image graph{};
    PosStrategy strategy(Level::steps, 3);
    strategy.look_at(&graph);
    std::set<std::vector<uint64_t>> orders;
    for (uint64_t schedule = 1; schedule <= 2000; ++schedule) {
        strategy.begin(schedule);
        orders.insert(order_of(&strategy, 4));
        EXPECT_TRUE(strategy.ended(3));
    }
    EXPECT_EQ(orders.size(), 24u);
}

}  // namespace chiphost::platform
