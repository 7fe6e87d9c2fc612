// SPDX-License-Identifier: Apache-2.0
#include "graph/graph_builder.h"

#include <gtest/gtest.h>
#include <string.h>

#include <random>
#include <set>

#include "random_seed.h"
#include "test_files.h"

namespace chiphost::graph {

using tests::text_of;

namespace {

uint32_t add(GraphBuilder& graph, Shape shape = Shape::aiv) {
    return graph.add_task(shape, 0, nullptr, 0);
}

std::string check(const GraphBuilder& graph) {
    ch_error error = no_error();
    return graph.check({}, &error) == CH_OK ? "ok" : text_of(error);
}

// The image as the device would see it.
std::vector<char> image_of(GraphBuilder& graph) {
    std::vector<char> memory(graph.image_bytes());
    graph.write_image(reinterpret_cast<uint64_t>(memory.data()),
                      [&](uint64_t offset, const void* source, uint64_t bytes) {
                          ASSERT_LE(offset + bytes, memory.size());
                          if (bytes) memcpy(memory.data() + offset, source, bytes);
                      });
    return memory;
}

}  // namespace

TEST(GraphBuilder, FindsACycleAndNamesIt) {
    GraphBuilder graph;
    for (int i = 0; i < 6; ++i) add(graph);
    graph.add_edge(0, 1);
    graph.add_edge(1, 2);
    graph.add_edge(2, 3);
    graph.add_edge(3, 4);
    EXPECT_EQ(check(graph), "ok");
    graph.add_edge(4, 2);
    graph.add_edge(4, 5);
    EXPECT_EQ(check(graph),
              "GRAPH_CYCLE: graph: tasks wait for each other: submit #2 (kernel of func_id 0) -> submit #3 (kernel of "
              "func_id 0) -> "
              "submit #4 (kernel of func_id 0) -> submit #2 (kernel of func_id 0)");
}

TEST(GraphBuilder, FindsATaskThatWaitsForItself) {
    GraphBuilder graph;
    add(graph);
    graph.add_edge(0, 0);
    EXPECT_EQ(check(graph),
              "GRAPH_CYCLE: graph: tasks wait for each other: submit #0 (kernel of func_id 0) -> submit #0 (kernel of "
              "func_id 0)");
}

TEST(GraphBuilder, ShortensALongCycle) {
    GraphBuilder graph;
    for (int i = 0; i < 100; ++i) add(graph);
    for (uint32_t i = 0; i < 100; ++i) graph.add_edge(i, (i + 1) % 100);
    // As many as a message has room for, and how many more there are.
    const std::string text = check(graph);
    const size_t more = text.find(" -> (");
    ASSERT_NE(more, std::string::npos) << text;
    const size_t last = text.rfind("submit #", more);
    const int named = atoi(text.c_str() + last + strlen("submit #")) + 1;
    EXPECT_GT(named, 10);
    EXPECT_EQ(text.substr(more), " -> (" + std::to_string(100 - named) + " more) -> submit #0 (kernel of func_id 0)");
}

TEST(GraphBuilder, AcceptsEdgesToEarlierTasks) {
    GraphBuilder graph;
    for (int i = 0; i < 3; ++i) add(graph);
    graph.add_edge(2, 1);
    graph.add_edge(1, 0);
    EXPECT_EQ(check(graph), "ok");
}

// Cycles are compared with a search of the test's own: depth first, for a way back to where it began.
TEST(GraphBuilder, AgreesWithASearchOnRandomGraphs) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    GraphBuilder graph;
    for (int round = 0; round < 2000; ++round) {
        graph.clear();
        const uint32_t tasks = 1 + random() % 12;
        std::vector<std::set<uint32_t>> successors(tasks);
        for (uint32_t i = 0; i < tasks; ++i) add(graph);
        for (uint32_t i = 0; i < random() % (2 * tasks); ++i) {
            const uint32_t from = random() % tasks, to = random() % tasks;
            graph.add_edge(from, to);
            successors[from].insert(to);
        }
        bool cycle = false;
        for (uint32_t start = 0; start < tasks; ++start) {
            std::set<uint32_t> seen;
            std::vector<uint32_t> open(successors[start].begin(), successors[start].end());
            while (!open.empty()) {
                const uint32_t at = open.back();
                open.pop_back();
                if (at == start) cycle = true;
                if (seen.insert(at).second) open.insert(open.end(), successors[at].begin(), successors[at].end());
            }
        }
        ASSERT_EQ(check(graph) != "ok", cycle) << graph.describe();
    }
}

TEST(GraphBuilder, DescribesWholeWords) {
    GraphBuilder graph;
    const uint64_t words[] = {0xFEDCBA9876543210, 0xFEDCBA9876543210};
    graph.add_task(Shape::aiv, 6, words, 2);
    EXPECT_EQ(graph.describe(),
              "1 tasks, 0 edges\n  task 0 AIV func 6 args (0xfedcba9876543210, 0xfedcba9876543210)\n");
}

TEST(GraphBuilder, LaysTheImageOut) {
    GraphBuilder graph;
    const uint64_t words[] = {7, 8, 9};
    graph.add_task(Shape::aic, 5, words, 3);
    graph.add_task(Shape::aiv, 6, words, 2);
    graph.add_task(Shape::aiv, 6, words, 1);
    graph.add_task(Shape::aiv, 6, words, 0);
    graph.add_edge(0, 1);
    graph.add_edge(0, 2);
    const std::vector<char> memory = image_of(graph);
    const auto& image = *reinterpret_cast<const Image*>(memory.data());
    const auto* tasks = reinterpret_cast<const Task*>(image.tasks);
    const auto* edges = reinterpret_cast<const Edge*>(image.edges);
    EXPECT_EQ(image.format, image_format);
    EXPECT_EQ(image.task_count, 4u);
    EXPECT_EQ(tasks[0].func_id[0], 5);
    EXPECT_EQ(tasks[0].cores, aic_bit);
    EXPECT_EQ(tasks[1].func_id[1], 6);
    EXPECT_EQ(tasks[1].cores, aiv0_bit);
    EXPECT_EQ(reinterpret_cast<const uint64_t*>(image.args)[tasks[1].first_arg + 1], 8u);
    std::set<uint32_t> successors;
    for (uint32_t edge = tasks[0].first_edge; edge != none; edge = edges[edge].next) {
        successors.insert(edges[edge].successor);
    }
    EXPECT_EQ(successors, (std::set<uint32_t>{1, 2}));
    EXPECT_EQ(image.queues[0].tail, 1u);      // task 0
    EXPECT_EQ(image.queues[0].capacity, 2u);  // one cell could not tell full from empty
    EXPECT_EQ(image.queues[1].capacity, 4u);  // three AIV tasks
    EXPECT_EQ(image.queues[1].tail, 1u);      // task 3
    EXPECT_EQ(reinterpret_cast<const QueueCell*>(image.queues[1].cells)[0].task, 3u);
    EXPECT_EQ(image.queues[2].capacity, 0u);
}

// A builder is used for one run after the other.
TEST(GraphBuilder, MakesTheSameOfAGraphAfterAnother) {
    const auto fill = [](GraphBuilder& graph) {
        const uint64_t words[] = {7, 8, 9};
        graph.add_task(Shape::aic, 5, words, 3);
        graph.add_task(Shape::aiv, 6, words, 2);
        graph.add_task(Shape::aiv, 6, words, 1);
        graph.add_edge(0, 2);
    };
    GraphBuilder fresh, used;
    fill(fresh);
    const uint64_t other_words[] = {1, 2, 3, 4};
    for (int i = 0; i < 50; ++i) used.add_task(i % 5 ? Shape::aiv : Shape::aic, 0, other_words, 4);
    used.add_edge(4, 3);
    used.add_edge(3, 4);
    EXPECT_NE(check(used), "ok");
    image_of(used);
    used.clear();
    EXPECT_EQ(check(used), "ok");
    fill(used);
    EXPECT_EQ(check(used), "ok");
    EXPECT_EQ(used.image_bytes(), fresh.image_bytes());
    EXPECT_EQ(used.describe(), fresh.describe());
    const std::vector<char> image = image_of(used), wanted = image_of(fresh);
    for (uint32_t shape = 0; shape < shape_count; ++shape) {
        const Queue& queue = reinterpret_cast<const Image*>(image.data())->queues[shape];
        const Queue& other = reinterpret_cast<const Image*>(wanted.data())->queues[shape];
        EXPECT_EQ(queue.capacity, other.capacity);
        EXPECT_EQ(queue.head, other.head);
        EXPECT_EQ(queue.tail, other.tail);
        const auto* cells = reinterpret_cast<const QueueCell*>(queue.cells);
        const auto* others = reinterpret_cast<const QueueCell*>(other.cells);
        for (uint32_t i = 0; i < queue.capacity; ++i) {
            EXPECT_EQ(cells[i].lap, others[i].lap);
            EXPECT_EQ(cells[i].task, others[i].task);
        }
    }
}

TEST(GraphBuilder, TakesWhatItsLimitsAllowAndNoMore) {
    GraphBuilder graph(3, 2);
    for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(add(graph), i);
    EXPECT_EQ(add(graph), none);
    EXPECT_TRUE(graph.add_edge(0, 1));
    EXPECT_TRUE(graph.add_edge(1, 2));
    EXPECT_FALSE(graph.add_edge(0, 2));
    EXPECT_EQ(graph.task_count(), 3u);
    EXPECT_EQ(check(graph), "ok");
    graph.clear();
    EXPECT_EQ(add(graph), 0u);
}

TEST(GraphBuilder, NeedsMemoryInProportionToTheGraph) {
    GraphBuilder graph;
    EXPECT_LE(image_of(graph).size(), 1024u);
    for (int i = 0; i < 1000; ++i) add(graph);
    EXPECT_LE(graph.image_bytes(), 1000 * 64 + 1024 * sizeof(QueueCell) + 1024);
}

}  // namespace chiphost::graph
