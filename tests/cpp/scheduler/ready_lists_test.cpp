// SPDX-License-Identifier: Apache-2.0
#include "scheduler/ready_lists.h"

#include <gtest/gtest.h>

#include <vector>

namespace chiphost::scheduler {

using graph::Shape;

TEST(ReadyLists, GiveTheNewestOfAShapeFirst) {
    ReadyLists ready;
    EXPECT_EQ(ready.pop(Shape::aic), graph::none);
    ASSERT_TRUE(ready.push(Shape::aic, 1));
    ASSERT_TRUE(ready.push(Shape::aiv, 2));
    ASSERT_TRUE(ready.push(Shape::aic, 3));
    EXPECT_TRUE(ready.empty(Shape::mix));
    EXPECT_EQ(ready.pop(Shape::aic), 3u);
    EXPECT_EQ(ready.pop(Shape::aic), 1u);
    EXPECT_EQ(ready.pop(Shape::aic), graph::none);
    EXPECT_FALSE(ready.empty(Shape::aiv));
}

TEST(ReadyLists, AreEmptyWhenAllIsTaken) {
    ReadyLists ready;
    uint32_t pushed = 0;
    while (ready.push(Shape::mix, pushed)) ++pushed;
    ASSERT_GT(pushed, 0u);
    ASSERT_TRUE(ready.push(Shape::aiv, 1000)) << "a full list leaves the others room";
    std::vector<uint32_t> taken;
    ready.take_all([&](Shape shape, uint32_t task) {
        EXPECT_EQ(shape == Shape::aiv, task == 1000);
        taken.push_back(task);
    });
    EXPECT_EQ(taken.size(), pushed + 1);
    for (const Shape shape : {Shape::aic, Shape::aiv, Shape::mix}) EXPECT_TRUE(ready.empty(shape));
}

}  // namespace chiphost::scheduler
