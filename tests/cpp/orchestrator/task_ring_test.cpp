// SPDX-License-Identifier: Apache-2.0
//
// The rings' allocator against a list of taken ranges, and against the rule for refusals.
#include "orchestrator/task_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "random_seed.h"

namespace chiphost::orchestrator {

namespace {

graph::Ring sizes(uint32_t window, uint64_t heap_bytes, uint64_t record_bytes, uint32_t edges, bool shared = true) {
    graph::Ring ring{};
    ring.first_slot = 100;
    ring.window = window;
    ring.heap = 1 << 20;
    ring.heap_bytes = heap_bytes;
    ring.heap_slack = shared ? heap_bytes : 0;
    ring.record_bytes = record_bytes;
    ring.record_slack = shared ? record_bytes : 0;
    ring.first_record = 5000;
    ring.first_edge = 70;
    ring.edge_count = edges;
    return ring;
}

struct Task {
    Room room;
    uint32_t scope;
    TaskRing::Place place;
    std::vector<uint32_t> edges;
};

struct Scope {
    uint32_t serial;
    size_t tasks;
};

bool apart(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes) {
    return a + a_bytes <= b || b + b_bytes <= a;
}

// Scopes that nest, all of one ring. The rooms of ended scopes are given back at random times, or only when an
// allocation waits for them. Checks that nothing overlaps; returns for every task if it was refused.
std::vector<Missing> run(uint32_t program_seed, uint32_t timing_seed, bool eager, uint32_t* out_waits) {
    std::mt19937 random(program_seed), timing(timing_seed);
    const graph::Ring ring_sizes = sizes(4u << random() % 4, 1024 * (2 + random() % 9), 1024u << random() % 3,
                                         4 + random() % 12, random() % 8 != 0);
    std::vector<graph::Slot> slots(ring_sizes.first_slot + ring_sizes.window);
    TaskRing ring;
    ring.begin(&ring_sizes);
    std::deque<Task> tasks;
    std::vector<Scope> open;
    std::vector<Missing> verdicts;
    uint32_t serial = 0, number = 0;
    const auto is_open = [&](uint32_t scope) {
        return std::any_of(open.begin(), open.end(), [&](const Scope& one) { return one.serial == scope; });
    };
    const auto give_back = [&] {
        if (tasks.empty() || is_open(tasks.front().scope)) return false;
        EXPECT_EQ(ring.oldest(), tasks.front().place.slot);
        ring.give_back(slots.data());
        tasks.pop_front();
        return true;
    };
    for (int step = 0; step < 300; ++step) {
        const uint32_t what = random() % 8;
        if (what == 0 || open.empty()) {
            open.push_back({++serial, 0});
            continue;
        }
        if (what == 1) {
            ring.scope_ended(open.back().serial);
            open.pop_back();
            continue;
        }
        Task task{
            {1, random() % 3 ? 256 * (random() % 10) : 0, 64 * (1 + random() % 8), static_cast<uint32_t>(random() % 3)},
            open.back().serial,
            {},
            {}};
        while ((eager || timing() % 3 == 0) && give_back()) {
        }
        // The rule in plain words: tasks older than the oldest task of an open scope count for nothing.
        uint64_t heap = task.room.heap_bytes, records = task.room.record_bytes;
        uint32_t slot_count = 1, edges = task.room.edges;
        bool kept = false;
        for (const Task& other : tasks) {
            kept = kept || is_open(other.scope);
            if (!kept) continue;
            heap += other.room.heap_bytes;
            records += other.room.record_bytes;
            edges += other.room.edges;
            ++slot_count;
        }
        const Missing rule = slot_count > ring_sizes.window      ? Missing::slot
                             : heap > ring_sizes.heap_bytes      ? Missing::heap
                             : records > ring_sizes.record_bytes ? Missing::record
                             : edges > ring_sizes.edge_count     ? Missing::edges
                                                                 : Missing::none;
        EXPECT_EQ(ring.always_missing(task.room), rule);
        verdicts.push_back(rule);
        if (rule != Missing::none) continue;
        while (ring.missing(task.room) != Missing::none) {
            EXPECT_NE(ring.older_than_group(), 0u);
            if (!give_back()) {
                ADD_FAILURE() << "waits for a task of an open scope";
                return verdicts;
            }
            ++*out_waits;
        }
        task.place = ring.take(task.room, task.scope, slots.data());
        EXPECT_EQ(task.place.number, number++);
        EXPECT_TRUE(ring.has(task.place.number));
        EXPECT_FALSE(ring.has(number));
        const uint64_t heap_at = task.place.heap - ring_sizes.heap;
        const uint64_t record_at = (task.place.record - ring_sizes.first_record) * sizeof(uint64_t);
        if (task.room.heap_bytes) {
            EXPECT_LE(heap_at + task.room.heap_bytes, ring_sizes.heap_bytes + ring_sizes.heap_slack);
        }
        EXPECT_LE(record_at + task.room.record_bytes, ring_sizes.record_bytes + ring_sizes.record_slack);
        for (uint32_t i = 0; i < task.room.edges; ++i) task.edges.push_back(ring.take_edge());
        for (const Task& other : tasks) {
            EXPECT_NE(other.place.slot, task.place.slot);
            if (task.room.heap_bytes && other.room.heap_bytes) {
                EXPECT_TRUE(
                    apart(heap_at, task.room.heap_bytes, other.place.heap - ring_sizes.heap, other.room.heap_bytes));
            }
            EXPECT_TRUE(apart(record_at, task.room.record_bytes,
                              (other.place.record - ring_sizes.first_record) * sizeof(uint64_t),
                              other.room.record_bytes));
            for (uint32_t edge : other.edges) {
                EXPECT_EQ(std::count(task.edges.begin(), task.edges.end(), edge), 0);
            }
        }
        tasks.push_back(task);
        EXPECT_EQ(ring.count(), tasks.size());
    }
    return verdicts;
}

}  // namespace

// A program of scopes and sizes gets the same answers whatever is given back when.
TEST(TaskRing, RefusesByTheProgramAlone) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    uint32_t waits = 0;
    size_t refused[8] = {};
    for (int program = 0; program < 300 && !testing::Test::HasFailure(); ++program) {
        const uint32_t program_seed = random();
        const std::vector<Missing> verdicts = run(program_seed, 0, true, &waits);
        for (int timing = 0; timing < 4; ++timing) {
            ASSERT_EQ(run(program_seed, random(), false, &waits), verdicts) << "program " << program_seed;
        }
        for (const Missing verdict : verdicts) ++refused[static_cast<size_t>(verdict)];
    }
    for (const Missing what : {Missing::none, Missing::slot, Missing::heap, Missing::record, Missing::edges}) {
        EXPECT_GT(refused[static_cast<size_t>(what)], 20u) << static_cast<int>(what);
    }
    EXPECT_GT(waits, 1000u);
}

// Scopes smaller than the ring do not wait for each other before the ring is full.
TEST(TaskRing, LetsScopesOverlap) {
    const graph::Ring ring_sizes = sizes(64, 16384, 16384, 8);
    graph::Slot slots[164];
    TaskRing ring;
    ring.begin(&ring_sizes);
    for (uint32_t scope = 1; scope <= 16; ++scope) {
        const Room room{1, 1024, 64, 0};
        ASSERT_EQ(ring.missing(room), Missing::none) << scope;
        ring.take(room, scope, slots);
        ring.scope_ended(scope);
    }
    EXPECT_EQ(ring.count(), 16u);
}

// A scope may keep as many bytes as the ring has, wherever the scope before it still is.
TEST(TaskRing, GivesAScopeAllItsBytes) {
    const graph::Ring ring_sizes = sizes(8, 16384, 2048, 8);
    graph::Slot slots[108];
    TaskRing ring;
    ring.begin(&ring_sizes);
    ring.take({1, 6144, 64, 0}, 1, slots);
    ring.scope_ended(1);
    ring.take({1, 5120, 64, 0}, 2, slots);
    const Room rest{1, 11264, 64, 0};
    EXPECT_EQ(ring.missing(rest), Missing::none);
    EXPECT_EQ(ring.always_missing({1, 12288, 64, 0}), Missing::heap);
    EXPECT_EQ(ring.take(rest, 2, slots).heap, ring_sizes.heap + 6144 + 5120);
}

// Bytes that are skipped at a ring's end come back with the task before it, not with the one behind.
TEST(TaskRing, LosesNothingAtItsEnd) {
    const graph::Ring ring_sizes = sizes(8, 8192, 8192, 8);  // 16 KiB with the slack
    graph::Slot slots[108];
    TaskRing ring;
    ring.begin(&ring_sizes);
    ring.take({1, 1024, 64, 0}, 1, slots);
    ring.scope_ended(1);
    ring.take({1, 8192, 64, 0}, 2, slots);  // up to 9 KiB: the next scope begins at the start
    ring.scope_ended(2);
    ring.give_back(slots);
    ring.take({1, 1024, 64, 0}, 3, slots);
    const Room room{1, 7168, 64, 0};
    EXPECT_EQ(ring.missing(room), Missing::heap);  // scope 2 is in the way
    ring.give_back(slots);
    EXPECT_EQ(ring.missing(room), Missing::none);
}

}  // namespace chiphost::orchestrator
