// SPDX-License-Identifier: Apache-2.0
#include "scheduler/core_set.h"
#include "random_seed.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace chiphost::scheduler {

TEST(CoreSet, BehavesLikeASet) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    CoreSet set;
    std::set<uint32_t> model;
    for (int step = 0; step < 20000; ++step) {
        const uint32_t core = random() % CoreSet::capacity;
        if (random() % 2) {
            set.insert(core);
            model.insert(core);
        } else {
            set.erase(core);
            model.erase(core);
        }
        ASSERT_EQ(set.empty(), model.empty());
        ASSERT_EQ(set.contains(core), model.count(core) == 1);
        if (!model.empty()) {
            ASSERT_EQ(set.first(), *model.begin());
        }
    }
    std::vector<uint32_t> visited;
    set.for_each([&](uint32_t core) { visited.push_back(core); });
    EXPECT_EQ(visited, std::vector<uint32_t>(model.begin(), model.end()));
}

TEST(CoreSet, KnowsItsFirstCoreWhereverItIs) {
    for (uint32_t core = 0; core < CoreSet::capacity; ++core) {
        CoreSet set;
        set.insert(CoreSet::capacity - 1);
        set.insert(core);
        EXPECT_EQ(set.first(), core);
    }
}

TEST(CoreSet, VisitsWhatWasThereAtTheStart) {
    CoreSet set;
    for (uint32_t core = 0; core < CoreSet::capacity; ++core) set.insert(core);
    uint32_t visits = 0;
    set.for_each([&](uint32_t core) {
        set.erase(core);
        ++visits;
    });
    EXPECT_EQ(visits, CoreSet::capacity);
    EXPECT_TRUE(set.empty());
}

}  // namespace chiphost::scheduler
