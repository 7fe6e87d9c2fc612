// SPDX-License-Identifier: Apache-2.0
#include "scheduler/ready_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace chiphost::scheduler {

namespace {

// Cells as the graph builder prepares them: the first `ready` hold 0, 1, 2, ...
std::vector<graph::QueueCell> cells(uint32_t capacity, uint32_t ready) {
    std::vector<graph::QueueCell> result(capacity);
    for (uint32_t i = 0; i < capacity; ++i) result[i] = {i < ready ? i + 1 : i, i < ready ? i : graph::none};
    return result;
}

}  // namespace

TEST(ReadyQueue, IsFirstInFirstOut) {
    auto storage = cells(8, 3);
    ReadyQueue queue(storage.data(), 8, 3);
    EXPECT_EQ(queue.size(), 3u);
    EXPECT_TRUE(queue.push(10));
    for (uint32_t task : {0u, 1u, 2u, 10u}) EXPECT_EQ(queue.pop(), task);
    EXPECT_EQ(queue.pop(), graph::none);
}

TEST(ReadyQueue, SaysWhenItIsFull) {
    auto storage = cells(2, 2);
    ReadyQueue queue(storage.data(), 2, 2);
    EXPECT_FALSE(queue.push(5));
    EXPECT_EQ(queue.pop(), 0u);
    EXPECT_TRUE(queue.push(5));
    EXPECT_FALSE(queue.push(6));
}

TEST(ReadyQueue, OfOneCellWorks) {
    auto storage = cells(1, 0);
    ReadyQueue queue(storage.data(), 1, 0);
    for (uint32_t round = 0; round < 100; ++round) {
        EXPECT_TRUE(queue.push(round));
        EXPECT_EQ(queue.pop(), round);
        EXPECT_EQ(queue.pop(), graph::none);
    }
}

TEST(ReadyQueue, WithoutCellsIsEmpty) {
    ReadyQueue queue(nullptr, 0, 0);
    EXPECT_EQ(queue.pop(), graph::none);
    EXPECT_EQ(queue.size(), 0u);
}

// Four threads push and pop; every value comes out exactly once.
TEST(ReadyQueue, LosesNothingBetweenThreads) {
    constexpr uint32_t threads = 4, rounds = 20000, capacity = 64;
    auto storage = cells(capacity, 0);
    ReadyQueue queue(storage.data(), capacity, 0);
    std::vector<std::atomic<uint32_t>> seen(threads * rounds);
    std::atomic<uint32_t> popped{0};
    std::vector<std::thread> workers;
    for (uint32_t id = 0; id < threads; ++id) {
        workers.emplace_back([&, id] {
            uint32_t next = 0;
            while (popped.load() < threads * rounds) {
                if (next < rounds && queue.push(id * rounds + next)) ++next;
                const uint32_t task = queue.pop();
                if (task == graph::none) {
                    std::this_thread::yield();
                    continue;
                }
                seen[task].fetch_add(1);
                popped.fetch_add(1);
            }
        });
    }
    for (std::thread& worker : workers) worker.join();
    for (const auto& count : seen) ASSERT_EQ(count.load(), 1u);
}

}  // namespace chiphost::scheduler
