// SPDX-License-Identifier: Apache-2.0
//
// The rings' allocator against a list of what is taken.
#include "orchestrator/task_ring.h"
#include "random_seed.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace chiphost::orchestrator {

namespace {

using Missing = TaskRing::Missing;

graph::Ring sizes(uint32_t window, uint64_t heap_bytes, uint64_t record_bytes, uint32_t edges) {
    graph::Ring ring{};
    ring.first_slot = 100;
    ring.window = window;
    ring.heap = 1 << 20;
    ring.heap_bytes = heap_bytes;
    ring.record_bytes = record_bytes;
    ring.first_record = 5000;
    ring.first_edge = 70;
    ring.edge_count = edges;
    return ring;
}

// What a task has, as spans [begin, end).
struct Taken {
    Room room;
    TaskRing::Place place;
    graph::Slot slot;
    std::vector<uint32_t> edges;
};

// Whether `bytes` fit between what is taken, by the rule: behind the newest, or at the start if not there; never round
// an end. Taken spans are oldest first.
bool fits(const std::vector<std::pair<uint64_t, uint64_t>>& taken, uint64_t bytes, uint64_t size) {
    if (bytes == 0) return true;
    if (taken.empty()) return bytes <= size;
    const uint64_t oldest = taken.front().first, newest = taken.back().second;
    if (newest > oldest) return newest + bytes <= size || bytes <= oldest;
    return newest + bytes <= oldest;
}

}  // namespace

TEST(TaskRing, AgreesWithAList) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    size_t went_round = 0, refused = 0;
    for (int round = 0; round < 200; ++round) {
        const graph::Ring ring_sizes =
            sizes(4u << random() % 3, 1024 * (1 + random() % 9), 1024u << random() % 3, 4 + random() % 12);
        TaskRing ring;
        ring.begin(&ring_sizes);
        std::deque<Taken> taken;
        uint32_t number = 0;
        for (int step = 0; step < 400; ++step) {
            if (random() % 5 < 2 && !taken.empty()) {
                ASSERT_EQ(ring.oldest(), taken.front().place.slot);
                ring.give_back(taken.front().slot);
                taken.pop_front();
                continue;
            }
            Taken task;
            task.room.heap_bytes = random() % 2 ? 0 : 256 * (1 + random() % 8);
            task.room.record_bytes = 64 * (1 + random() % 12);
            task.room.edges = random() % 4;
            std::vector<std::pair<uint64_t, uint64_t>> heaps, records;
            size_t edges = task.room.edges;
            for (const Taken& other : taken) {
                if (other.room.heap_bytes) {
                    heaps.emplace_back(other.place.heap - ring_sizes.heap,
                                       other.place.heap - ring_sizes.heap + other.room.heap_bytes);
                }
                const uint64_t record = (other.place.record - ring_sizes.first_record) * 8;
                records.emplace_back(record, record + other.room.record_bytes);
                edges += other.edges.size();
            }
            const Missing missing = ring.missing(task.room);
            ASSERT_EQ(missing == Missing::slot, taken.size() == ring_sizes.window);
            if (missing == Missing::slot) {
                ++refused;
                continue;
            }
            if (missing == Missing::heap || missing == Missing::record || missing == Missing::edges) ++refused;
            // The ring may refuse what would fit into a gap that it left at an end, but never when it is empty; and
            // what it grants must fit.
            if (missing == Missing::heap) {
                ASSERT_TRUE(!taken.empty() || task.room.heap_bytes > ring_sizes.heap_bytes);
                continue;
            }
            ASSERT_TRUE(fits(heaps, task.room.heap_bytes, ring_sizes.heap_bytes));
            if (missing == Missing::record) {
                ASSERT_TRUE(!taken.empty() || task.room.record_bytes > ring_sizes.record_bytes);
                continue;
            }
            ASSERT_TRUE(fits(records, task.room.record_bytes, ring_sizes.record_bytes));
            ASSERT_EQ(missing == Missing::edges, edges > ring_sizes.edge_count);
            if (missing != Missing::none) continue;
            task.place = ring.take(task.room);
            ASSERT_EQ(task.place.number, number++);
            ASSERT_TRUE(ring.has(task.place.number));
            ASSERT_FALSE(ring.has(number));
            ASSERT_GE(task.place.slot, ring_sizes.first_slot);
            ASSERT_LT(task.place.slot, ring_sizes.first_slot + ring_sizes.window);
            for (uint32_t i = 0; i < task.room.edges; ++i) {
                ASSERT_EQ(ring.missing({0, 0, 0, 1}), Missing::none);
                task.edges.push_back(ring.take_edge());
                ASSERT_GE(task.edges.back(), ring_sizes.first_edge);
                ASSERT_LT(task.edges.back(), ring_sizes.first_edge + ring_sizes.edge_count);
            }
            ring.note_end(&task.slot);
            if (task.room.heap_bytes) {
                const uint64_t begin = task.place.heap - ring_sizes.heap, end = begin + task.room.heap_bytes;
                ASSERT_LE(end, ring_sizes.heap_bytes);
                for (const auto& [from, to] : heaps) ASSERT_TRUE(end <= from || to <= begin);
                if (begin == 0 && !heaps.empty()) ++went_round;
            }
            const uint64_t begin = (task.place.record - ring_sizes.first_record) * 8;
            ASSERT_LE(begin + task.room.record_bytes, ring_sizes.record_bytes);
            for (const auto& [from, to] : records) {
                ASSERT_TRUE(begin + task.room.record_bytes <= from || to <= begin);
            }
            for (const Taken& other : taken) {
                ASSERT_NE(other.place.slot, task.place.slot);
                for (uint32_t edge : other.edges) {
                    for (uint32_t mine : task.edges) ASSERT_NE(edge, mine);
                }
            }
            taken.push_back(task);
            ASSERT_EQ(ring.count(), taken.size());
        }
    }
    EXPECT_GT(refused, 1000u);
    EXPECT_GT(went_round, 100u);
}

// Where it has drained, the next tensor may be as large as the whole ring, wherever the last one ended.
TEST(TaskRing, GivesTheWholeSpanWhenItIsEmpty) {
    const graph::Ring ring_sizes = sizes(8, 4096, 2048, 8);
    TaskRing ring;
    ring.begin(&ring_sizes);
    graph::Slot slot{};
    for (const uint64_t bytes : {3072, 4096, 1024, 4096}) {
        const Room room{1, bytes, 2048, 8};
        ASSERT_EQ(ring.missing(room), Missing::none);
        EXPECT_EQ(ring.take(room).heap, ring_sizes.heap);
        for (int i = 0; i < 8; ++i) ring.take_edge();
        ring.note_end(&slot);
        EXPECT_EQ(ring.missing({1, 1024, 64, 0}), bytes == 4096 ? Missing::heap : Missing::record);
        ring.give_back(slot);
        EXPECT_TRUE(ring.empty());
    }
    EXPECT_EQ(ring.always_missing({1, 4097, 64, 0}), Missing::heap);
    EXPECT_EQ(ring.always_missing({1, 4096, 4096, 0}), Missing::record);
    EXPECT_EQ(ring.always_missing({1, 4096, 64, 9}), Missing::edges);
}

// A task that makes no tensor keeps a slot, but no place in the heap.
TEST(TaskRing, BeginsAgainWhereNoneOfTheHeapIsInUse) {
    const graph::Ring ring_sizes = sizes(8, 10240, 4096, 8);
    TaskRing ring;
    ring.begin(&ring_sizes);
    graph::Slot first{}, second{}, third{};
    ring.take({1, 6144, 64, 0});
    ring.note_end(&first);
    ring.take({1, 0, 64, 0});
    ring.note_end(&second);
    EXPECT_EQ(ring.missing({1, 7168, 64, 0}), Missing::heap);
    ring.give_back(first);
    ASSERT_EQ(ring.missing({1, 7168, 64, 0}), Missing::none);
    EXPECT_EQ(ring.take({1, 7168, 64, 0}).heap, ring_sizes.heap);
    ring.note_end(&third);
    ring.give_back(second);  // which noted a position from before
    EXPECT_EQ(ring.missing({1, 4096, 64, 0}), Missing::heap);
    EXPECT_EQ(ring.missing({1, 3072, 64, 0}), Missing::none);
    ring.give_back(third);
    EXPECT_TRUE(ring.empty());
    EXPECT_EQ(ring.missing({1, 10240, 64, 0}), Missing::none);
}

}  // namespace chiphost::orchestrator
