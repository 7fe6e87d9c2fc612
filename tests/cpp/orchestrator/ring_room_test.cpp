// SPDX-License-Identifier: Apache-2.0
//
// Waits for room, and refusals, without a scheduler: tasks complete when the orchestrator waits, in any order.
#include "orchestrator/ring_room.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "platform_without_strands.h"
#include "status/report.h"

namespace chiphost::orchestrator {

namespace {

class Fixture : public SchedulerInterface {
public:
    Fixture() {
        plan.slot_count = graph::ring_count * window;
        plan.map_capacity = map_entries.size();
        plan.slots = reinterpret_cast<uint64_t>(slots.data());
        image.tasks = reinterpret_cast<uint64_t>(tasks.data());
        for (uint32_t i = 0; i < graph::ring_count; ++i) {
            graph::Ring& ring = plan.rings[i];
            ring.first_slot = i * window;
            ring.window = window;
            ring.heap_bytes = ring.heap_slack = 8192;
            ring.record_bytes = ring.record_slack = 4096;
            ring.first_edge = i * edges;
            ring.edge_count = edges;
        }
        map.begin(map_entries.data(), plan.map_capacity, buckets.data());
        strand.begin(nullptr, this);
        room.begin(&plan, image, &map, &strand, {});
        producers.begin(list.data(), marks.data(), plan.slot_count);
        producers.clear();
    }

    // Submits a task to a scope's ring; returns its slot, or none with `error` filled.
    uint32_t submit(uint32_t ring, uint32_t scope, uint64_t heap_bytes = 0, bool published = true, uint32_t uses = 0) {
        Need need;
        need.uses = uses;
        need.room.heap_bytes = heap_bytes;
        need.room.record_bytes = 64;
        if (room.make(ring, "submit", &need, &producers, &error) != CH_OK) return graph::none;
        need.room.edges = producers.count();
        if (room.make(ring, "submit", &need, &producers, &error) != CH_OK) return graph::none;
        const TaskRing::Place place = room.ring(ring).take(need.room, scope, slots.data());
        for (uint32_t i = 0; i < producers.count(); ++i) room.ring(ring).take_edge();
        graph::Slot& slot = slots[place.slot];
        slot.id = int64_t{ring} << 32 | place.number;
        slot.scope = scope;
        slot.holds = 2;
        slot.published = published;
        slot.scope_ended = 0;
        slot.first_use = graph::none;
        for (uint32_t i = 0; i < uses; ++i) {
            EXPECT_TRUE(map.add(4096, graph::TensorRegion{}, TensorMap::Use::read, place.slot, &slot.first_use));
        }
        tasks[place.slot].first_edge = graph::none;
        producers.clear();
        return place.slot;
    }
    void complete(uint32_t slot) {
        tasks[slot].first_edge = graph::closed;
        --slots[slot].holds;
    }
    void end_scope(uint32_t ring, uint32_t scope, const std::vector<uint32_t>& of_scope) {
        for (const uint32_t slot : of_scope) {
            slots[slot].scope_ended = 1;
            --slots[slot].holds;
        }
        room.ring(ring).scope_ended(scope);
    }

    void make_ready(uint32_t) override {}
    bool stopped() const override { return waits > 1000; }
    void fail(const ch_error&, int64_t) override {}
    void work() override {
        ++waits;
        if (on_wait) on_wait();
    }

    static constexpr uint32_t window = 8, edges = 4;
    graph::Orchestration plan{};
    graph::Image image{};
    std::vector<graph::Task> tasks{graph::ring_count * window};
    std::vector<graph::Slot> slots{graph::ring_count * window};
    std::vector<uint32_t> list = std::vector<uint32_t>(graph::ring_count * window);
    std::vector<uint32_t> marks = std::vector<uint32_t>(1 + graph::ring_count * window);
    std::vector<TensorMap::Entry> map_entries{32};
    std::vector<TensorMap::Bucket> buckets{TensorMap::bucket_count};
    TensorMap map;
    Strand strand;
    RingRoom room;
    ProducerList producers;
    std::function<void()> on_wait;
    uint32_t waits = 0;
    ch_error error = no_error();
};

}  // namespace

TEST(RingRoom, WaitsForScopesThatHaveEnded) {
    Fixture f;
    const uint32_t first = f.submit(1, 1, 6144);
    f.end_scope(1, 1, {first});
    const uint32_t second = f.submit(1, 2, 8192);
    ASSERT_NE(second, graph::none);
    f.end_scope(1, 2, {second});
    EXPECT_EQ(f.waits, 0u);
    f.on_wait = [&] { f.complete(f.waits == 1 ? second : first); };  // the younger one first
    EXPECT_NE(f.submit(1, 3, 8192), graph::none);
    EXPECT_EQ(f.waits, 2u);
}

TEST(RingRoom, RefusesWhatOpenScopesLeaveNoRoomFor) {
    Fixture f;
    const uint32_t ended = f.submit(1, 1, 8192);
    f.end_scope(1, 1, {ended});
    ASSERT_NE(f.submit(1, 2, 4096), graph::none);
    EXPECT_EQ(f.submit(1, 2, 5120), graph::none);  // at once, though it would have to wait for the other as well
    EXPECT_EQ(f.waits, 0u);
    EXPECT_EQ(f.error.code, CH_HEAP_DEADLOCK);
}

TEST(RingRoom, WaitsForProducersWhenEdgesAreShort) {
    Fixture f;
    std::vector<uint32_t> before;
    for (int i = 0; i < 6; ++i) before.push_back(f.submit(0, 1));
    for (const uint32_t slot : before) f.producers.add(slot, false);
    f.on_wait = [&] { f.complete(before[f.waits - 1]); };
    EXPECT_NE(f.submit(0, 1), graph::none);
    EXPECT_EQ(f.waits, 2u);  // four are left
}

TEST(RingRoom, RefusesEdgesThatCannotBecomeNeedless) {
    Fixture owners;
    std::vector<uint32_t> before;
    for (int i = 0; i < 5; ++i) before.push_back(owners.submit(0, 1));
    for (const uint32_t slot : before) owners.producers.add(slot, true);
    EXPECT_EQ(owners.submit(0, 1), graph::none);
    EXPECT_EQ(owners.error.code, CH_DEP_POOL_DEADLOCK);

    Fixture unpublished;
    before.clear();
    for (int i = 0; i < 5; ++i) before.push_back(unpublished.submit(0, 1, 0, false));
    for (const uint32_t slot : before) unpublished.producers.add(slot, false);
    EXPECT_EQ(unpublished.submit(0, 1), graph::none);
    EXPECT_EQ(unpublished.error.code, CH_DEP_POOL_DEADLOCK);
    EXPECT_EQ(owners.waits + unpublished.waits, 0u);
}

TEST(RingRoom, KnowsWhatWasSubmitted) {
    Fixture f;
    const auto id = [](int64_t ring, int64_t number) { return ring << 32 | number; };
    EXPECT_FALSE(f.room.was_submitted(id(1, 0)));
    const uint32_t slot = f.submit(1, 1);
    EXPECT_TRUE(f.room.was_submitted(id(1, 0)));
    EXPECT_EQ(f.room.slot_of(id(1, 0)), slot);
    for (const int64_t never : {id(1, 1), id(0, 0), id(graph::ring_count, 0), int64_t{-1}}) {
        EXPECT_FALSE(f.room.was_submitted(never)) << never;
        EXPECT_EQ(f.room.slot_of(never), graph::none) << never;
    }
    f.complete(slot);
    f.end_scope(1, 1, {slot});
    f.room.reclaim(1);
    EXPECT_TRUE(f.room.was_submitted(id(1, 0)));
    EXPECT_EQ(f.room.slot_of(id(1, 0)), graph::none) << "it is gone";
}

TEST(RingRoom, FillsTheTensorMapToTheLastEntry) {
    Fixture f;
    ASSERT_NE(f.submit(0, 1, 0, true, 20), graph::none);
    EXPECT_NE(f.submit(0, 1, 0, true, 12), graph::none);
    EXPECT_EQ(f.map.free_count(), 0u);
    EXPECT_NE(f.submit(0, 1), graph::none) << "a task without uses needs none";
    EXPECT_EQ(f.submit(0, 1, 0, true, 1), graph::none);
    EXPECT_EQ(f.error.code, CH_TENSOR_MAP_DEADLOCK);
    EXPECT_EQ(f.waits, 0u);
}

// All rings have one map: uses that a task of another ring has noted are waited for, and given back.
TEST(RingRoom, WaitsForUsesThatAnotherRingHolds) {
    Fixture f;
    std::vector<uint32_t> others;
    for (int i = 0; i < 2; ++i) others.push_back(f.submit(2, 5, 0, true, 15));
    f.end_scope(2, 5, others);
    f.on_wait = [&] { f.complete(others[f.waits - 1]); };
    EXPECT_NE(f.submit(0, 1, 0, true, 30), graph::none);
    EXPECT_EQ(f.waits, 2u);
    EXPECT_EQ(f.map.free_count(), 2u);
    EXPECT_TRUE(f.room.ring(2).empty());
}

TEST(RingRoom, RefusesUsesThatOpenScopesHoldInAnotherRing) {
    Fixture f;
    ASSERT_NE(f.submit(2, 5, 0, true, 30), graph::none);
    EXPECT_EQ(f.submit(0, 1, 0, true, 3), graph::none);
    EXPECT_EQ(f.error.code, CH_TENSOR_MAP_DEADLOCK);
    EXPECT_EQ(f.waits, 0u);
}

TEST(RingRoom, NamesTheCall) {
    Fixture f;
    std::vector<uint32_t> before;
    for (int i = 0; i < 5; ++i) before.push_back(f.submit(0, 1, 0, false));
    for (const uint32_t slot : before) f.producers.add(slot, false);
    Need need;
    need.room = {0, 0, 0, 5};
    EXPECT_EQ(f.room.make(0, "add_dependency", &need, &f.producers, &f.error), CH_DEP_POOL_DEADLOCK);
    EXPECT_STREQ(f.error.where, "add_dependency");
}

TEST(RingRoom, TellsScopesFromWhatIsInThem) {
    Fixture flat;
    for (uint32_t i = 0; i < Fixture::window; ++i) ASSERT_NE(flat.submit(3, 1), graph::none);
    EXPECT_EQ(flat.submit(3, 1), graph::none);
    EXPECT_EQ(flat.error.code, CH_SCOPE_DEADLOCK);

    Fixture deep;
    ASSERT_NE(deep.submit(3, 1), graph::none);
    for (uint32_t scope = 2; scope <= Fixture::window; ++scope) {
        const uint32_t slot = deep.submit(3, scope);
        deep.complete(slot);
        deep.end_scope(3, scope, {slot});
    }
    EXPECT_EQ(deep.submit(3, 1), graph::none);
    EXPECT_EQ(deep.error.code, CH_WINDOW_DEADLOCK);
}

}  // namespace chiphost::orchestrator
