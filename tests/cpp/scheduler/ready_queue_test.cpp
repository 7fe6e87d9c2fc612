// SPDX-License-Identifier: Apache-2.0
#include "scheduler/ready_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace chiphost::scheduler {

namespace {

// A queue in memory of its own, with the first `ready` cells taken by 0, 1, 2, ...
struct Storage {
    explicit Storage(uint32_t capacity, uint32_t ready = 0) : cells(capacity) {
        for (uint32_t i = 0; i < ready; ++i) cells[i] = {1, i};
        record.cells = reinterpret_cast<uint64_t>(cells.data());
        record.capacity = capacity;
        record.tail = ready;
    }
    std::vector<graph::QueueCell> cells;
    graph::Queue record{};
};

}  // namespace

TEST(ReadyQueue, IsFirstInFirstOut) {
    Storage storage(8, 3);
    ReadyQueue queue(&storage.record);
    EXPECT_EQ(queue.size(), 3u);
    EXPECT_TRUE(queue.push(10));
    for (uint32_t task : {0u, 1u, 2u, 10u}) EXPECT_EQ(queue.pop(), task);
    EXPECT_EQ(queue.pop(), graph::none);
}

TEST(ReadyQueue, SaysWhenItIsFull) {
    Storage storage(2, 2);
    ReadyQueue queue(&storage.record);
    EXPECT_FALSE(queue.push(5));
    EXPECT_EQ(queue.pop(), 0u);
    EXPECT_TRUE(queue.push(5));
    EXPECT_FALSE(queue.push(6));
}

TEST(ReadyQueue, GoesOnWhereItWasLeft) {
    Storage storage(4);
    for (uint32_t round = 0; round < 100; ++round) {
        ReadyQueue queue(&storage.record);
        for (uint32_t task = 0; task < round % 5; ++task) EXPECT_TRUE(queue.push(round + task));
        for (uint32_t task = 0; task < round % 5; ++task) EXPECT_EQ(queue.pop(), round + task);
        EXPECT_EQ(queue.pop(), graph::none);
    }
}

TEST(ReadyQueue, WithoutCellsIsEmpty) {
    graph::Queue record{};
    ReadyQueue queue(&record);
    EXPECT_EQ(queue.pop(), graph::none);
    EXPECT_EQ(queue.size(), 0u);
}

// A thread that takes a task and puts it back meets cells that another thread has claimed and not let go of yet.
TEST(ReadyQueue, IsNotFullWhileTasksAreTakenAndPutBack) {
    constexpr uint32_t threads = 4, rounds = 200000, tasks = 2;
    Storage storage(2, tasks);
    ReadyQueue queue(&storage.record);
    std::atomic<uint32_t> refused{0};
    std::vector<std::thread> workers;
    for (uint32_t id = 0; id < threads; ++id) {
        workers.emplace_back([&] {
            for (uint32_t round = 0; round < rounds; ++round) {
                const uint32_t task = queue.pop();
                if (task != graph::none && !queue.push(task)) refused.fetch_add(1);
            }
        });
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(refused.load(), 0u);
}

// Four threads push and pop; every value comes out exactly once.
TEST(ReadyQueue, LosesNothingBetweenThreads) {
    constexpr uint32_t threads = 4, rounds = 20000, capacity = 64;
    Storage storage(capacity);
    ReadyQueue queue(&storage.record);
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
