// SPDX-License-Identifier: Apache-2.0
#include "check/task_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bitset>
#include <random>
#include <vector>

#include "random_seed.h"

namespace chiphost::check {

namespace {

using Pair = TaskOrder::Pair;
using Reach = std::vector<std::bitset<1024>>;  // of at most so many nodes

// Which node a path leads to from which, by following all of them.
Reach paths(uint32_t nodes, const std::vector<Pair>& edges) {
    Reach reach(nodes);
    for (const Pair& edge : edges) reach[edge.from][edge.to] = true;
    for (uint32_t middle = 0; middle < nodes; ++middle) {
        for (uint32_t from = 0; from < nodes; ++from) {
            if (reach[from][middle]) reach[from] |= reach[middle];
        }
    }
    return reach;
}

TaskOrder order_of(uint32_t nodes, const std::vector<Pair>& edges) {
    TaskOrder order;
    order.add_nodes(nodes);
    for (const Pair& edge : edges) order.add_edge(edge.from, edge.to);
    order.finish();
    return order;
}

// Compares for all pairs of nodes.
void expect_paths(uint32_t nodes, const std::vector<Pair>& edges) {
    const TaskOrder order = order_of(nodes, edges);
    const Reach reach = paths(nodes, edges);
    std::vector<Pair> asked, expected;
    for (uint32_t from = 0; from < nodes; ++from) {
        for (uint32_t to = 0; to < nodes; ++to) {
            if (from == to || order.rank(from) > order.rank(to)) {
                EXPECT_FALSE(from != to && reach[from][to]) << "a path leads to a lower rank";
                continue;
            }
            asked.push_back({from, to});
            if (!reach[from][to]) expected.push_back({from, to});
        }
    }
    order.remove_ordered(&asked);
    EXPECT_EQ(asked.size(), expected.size());
    EXPECT_TRUE(std::equal(asked.begin(), asked.end(), expected.begin(), expected.end()));
}

}  // namespace

TEST(TaskOrder, KnowsEveryPathOfRandomGraphs) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    for (const uint32_t nodes : {2u, 10u, 65u, 300u}) {
        for (const uint32_t edge_count : {nodes / 2, nodes, 3 * nodes}) {
            std::vector<uint32_t> number(nodes);  // edges of a host's graph may lead to tasks that were added before
            for (uint32_t i = 0; i < nodes; ++i) number[i] = i;
            for (const bool shuffled : {false, true}) {
                if (shuffled) std::shuffle(number.begin(), number.end(), random);
                std::vector<Pair> edges;
                for (uint32_t i = 0; i < edge_count; ++i) {
                    const uint32_t a = random() % nodes, b = random() % nodes;
                    if (a != b) edges.push_back({number[std::min(a, b)], number[std::max(a, b)]});
                }
                expect_paths(nodes, edges);
            }
        }
    }
}

TEST(TaskOrder, KnowsPathsOfAWideForkAndJoin) {
    constexpr uint32_t width = 400;
    std::vector<Pair> edges;
    for (uint32_t i = 0; i < width; ++i) {
        edges.push_back({i, width});
        edges.push_back({width, width + 1 + i});
    }
    expect_paths(2 * width + 1, edges);
}

TEST(TaskOrder, ListsEachPairOnce) {
    const TaskOrder order = order_of(3, {{0, 1}});
    std::vector<Pair> pairs = {{1, 2}, {0, 2}, {1, 2}, {0, 1}, {0, 1}};
    order.remove_ordered(&pairs);
    const std::vector<Pair> expected = {{0, 2}, {1, 2}};
    EXPECT_EQ(pairs, expected);
}

TEST(TaskOrder, CountsEachEdgeOnce) {
    EXPECT_EQ(order_of(3, {{0, 1}, {1, 2}, {0, 1}, {0, 1}, {0, 2}}).edge_count(), 3u);
}

TEST(TaskOrder, StartsAnew) {
    TaskOrder order;
    order.add_nodes(2);
    order.add_edge(0, 1);
    order.clear();
    EXPECT_EQ(order.node_count(), 0u);
    EXPECT_EQ(order.edge_count(), 0u);
    order.add_nodes(2);
    order.finish();
    std::vector<Pair> pairs = {{0, 1}};
    order.remove_ordered(&pairs);
    EXPECT_EQ(pairs.size(), 1u);
}

}  // namespace chiphost::check
