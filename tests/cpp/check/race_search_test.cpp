// SPDX-License-Identifier: Apache-2.0
//
// Races against a search that compares every use with every other.
#include "check/race_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "made_up_run.h"
#include "random_seed.h"

namespace chiphost::check {

namespace {

using tests::MadeUpRun;

constexpr uint64_t base = MadeUpRun::base;
constexpr uint32_t bytes = 48;

std::vector<Race> find(MadeUpRun& run) {
    run.order.finish();
    RaceSearch search(run.segments, run.order);
    for (uint32_t index = 0; index < run.memory.buffer_count(); ++index) {
        const Buffer& buffer = run.memory.buffer(index);
        search.add(index, buffer.begin, buffer.end, buffer.uses);
    }
    return search.find();
}

bool has_path(const std::vector<TaskOrder::Pair>& edges, uint32_t from, uint32_t to) {
    std::vector<uint32_t> left = {from};
    std::set<uint32_t> seen;
    while (!left.empty()) {
        const uint32_t node = left.back();
        left.pop_back();
        if (node == to) return true;
        if (!seen.insert(node).second) continue;
        for (const auto& edge : edges) {
            if (edge.from == node) left.push_back(edge.to);
        }
    }
    return false;
}

// The bytes that two uses touch in no order, one of them writing.
std::set<uint64_t> raced_bytes(const MadeUpRun& run, const Buffer& buffer) {
    std::set<uint64_t> raced;
    for (const Use& a : buffer.uses) {
        for (const Use& b : buffer.uses) {
            const uint32_t from = run.segments[a.segment].node, to = run.segments[b.segment].node;
            if (a.segment == b.segment || from == to || (!a.writes() && !b.writes())) continue;
            if (has_path(run.edges, from, to) || has_path(run.edges, to, from)) continue;
            for (uint64_t byte = std::max(a.begin, b.begin); byte < std::min(a.end, b.end); ++byte) raced.insert(byte);
        }
    }
    return raced;
}

}  // namespace

TEST(RaceSearch, FindsThemExactlyWhereThereAreSome) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    uint32_t with = 0, without = 0;
    for (int round = 0; round < 400; ++round) {
        MadeUpRun run(bytes);
        const uint32_t nodes = 2 + random() % 10;
        run.order.add_nodes(nodes);
        const uint32_t buffer = run.add_buffer();
        for (uint32_t node = 0; node < nodes; ++node) {
            if (node > 0 && random() % 8 != 0) run.add_edge(random() % node, node);
            if (node > 1 && random() % 2 == 0) run.add_edge(node - 1, node);
            const uint32_t segment = run.add_segment(node);
            for (uint32_t count = random() % 3; count > 0; --count) {
                const uint64_t begin = random() % bytes;
                const uint64_t end = std::min<uint64_t>(bytes, begin + 1 + random() % 20);
                run.use(buffer, segment, begin, end, random() % 3 == 0 ? Action::write : Action::read);
            }
        }
        const std::set<uint64_t> raced = raced_bytes(run, run.memory.buffer(buffer));
        const std::vector<Race> races = find(run);
        EXPECT_EQ(races.empty(), raced.empty()) << "round " << round;
        for (const Race& race : races) {
            EXPECT_TRUE(race.first.writes() || race.second.writes());
            for (uint64_t byte = race.begin; byte < race.end; ++byte) {
                EXPECT_TRUE(raced.count(byte)) << "round " << round << ", byte " << byte;
            }
        }
        ++(raced.empty() ? without : with);
    }
    EXPECT_GT(with, 20u);
    EXPECT_GT(without, 20u);
}

TEST(RaceSearch, BlocksOfATaskHaveNoOrder) {
    MadeUpRun run(bytes);
    run.order.add_nodes(1);
    const uint32_t buffer = run.add_buffer();
    run.use(buffer, run.add_segment(0, 0), 0, 8, Action::write);
    run.use(buffer, run.add_segment(0, 1), 4, 12, Action::read);
    const std::vector<Race> races = find(run);
    ASSERT_EQ(races.size(), 1u);
    EXPECT_EQ(races[0].begin, base + 4);
    EXPECT_EQ(races[0].end, base + 8);
}

TEST(RaceSearch, CoresOfABlockAreOrderedByTheirClocks) {
    for (const bool synchronized : {false, true}) {
        MadeUpRun run(bytes);
        run.order.add_nodes(1);
        const uint32_t buffer = run.add_buffer();
        run.use(buffer, run.add_segment(0, 0, 0, {1, 0, 0}), 0, 8, Action::write);
        run.use(buffer, run.add_segment(0, 0, 1, {synchronized ? 1u : 0u, 1, 0}), 0, 8, Action::read);
        EXPECT_EQ(find(run).empty(), synchronized);
    }
}

TEST(RaceSearch, SumsMayBeMadeInAnyOrder) {
    for (const AtomicUse second : {AtomicUse::add, AtomicUse::update, AtomicUse::load}) {
        MadeUpRun run(bytes);
        run.order.add_nodes(2);
        const uint32_t buffer = run.add_buffer();
        run.use(buffer, run.add_segment(0), 0, 4, Action::atomic, AtomicUse::add);
        run.use(buffer, run.add_segment(1), 0, 4, Action::atomic, second);
        EXPECT_EQ(find(run).empty(), second == AtomicUse::add);
    }
}

TEST(RaceSearch, TellsWhichNodesMeet) {
    MadeUpRun run(bytes);
    run.order.add_nodes(3);
    run.add_edge(0, 1);
    run.add_edge(1, 2);
    const uint32_t buffer = run.add_buffer();
    run.use(buffer, run.add_segment(0), 0, 8, Action::write);
    run.use(buffer, run.add_segment(2), 0, 8, Action::read);
    run.order.finish();
    RaceSearch search(run.segments, run.order);
    search.add(buffer, base, base + bytes, run.memory.buffer(buffer).uses);
    EXPECT_TRUE(search.find().empty());
    const std::vector<TaskOrder::Pair> expected = {{0, 2}};
    EXPECT_EQ(search.meetings(), expected);
}

}  // namespace chiphost::check
