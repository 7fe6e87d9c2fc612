// SPDX-License-Identifier: Apache-2.0
#include "ring_room.h"

#include "status/report.h"

namespace chiphost::orchestrator {

using graph::none;
using graph::ring_count;
using graph::Slot;

namespace {

unsigned long long number(uint64_t value) {
    return value;
}

const char* plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

}  // namespace

void RingRoom::begin(graph::Orchestration* plan, const graph::Image& image, TensorMap* map, Strand* strand,
                     graph::KernelNames names) {
    names_ = names;
    plan_ = plan;
    tasks_ = reinterpret_cast<const graph::Task*>(image.tasks);
    slots_ = reinterpret_cast<Slot*>(plan->slots);
    map_ = map;
    strand_ = strand;
    for (uint32_t ring = 0; ring < ring_count; ++ring) rings_[ring].begin(&plan->rings[ring]);
}

bool RingRoom::was_submitted(int64_t id) const {
    const uint64_t ring = static_cast<uint64_t>(id) >> 32;
    return id >= 0 && ring < ring_count && static_cast<uint32_t>(id) < rings_[ring].next_number();
}

uint32_t RingRoom::slot_of(int64_t id) const {
    const uint64_t ring = static_cast<uint64_t>(id) >> 32;
    const auto in_ring = static_cast<uint32_t>(id);
    if (id < 0 || ring >= ring_count) return none;
    return rings_[ring].has(in_ring) ? rings_[ring].slot_of(in_ring) : none;
}

Missing RingRoom::missing(uint32_t ring, const Need& need) const {
    const Missing what = rings_[ring].missing(need.room);
    return what == Missing::none && need.uses > map_->free_count() ? Missing::uses : what;
}

bool RingRoom::oldest_is_free(uint32_t ring) const {
    return !rings_[ring].empty() && __atomic_load_n(&slots_[rings_[ring].oldest()].holds, __ATOMIC_ACQUIRE) == 0;
}

void RingRoom::reclaim(uint32_t ring) {
    while (oldest_is_free(ring)) {
        map_->forget(slots_[rings_[ring].oldest()].first_use);
        rings_[ring].give_back(slots_);
    }
}

Status RingRoom::make(uint32_t ring, const char* where, Need* need, ProducerList* producers, ch_error* out_error) {
    // Whatever there is now: what open scopes keep beside it must not be more than the ring's size.
    Room without_edges = need->room;
    without_edges.edges = 0;
    if (const Missing never = rings_[ring].always_missing(without_edges); never != Missing::none) {
        return refuse(ring, where, never, *need, out_error);
    }
    reclaim(ring);
    const auto over_and_needless = [&](ProducerList::Producer producer) {
        return !producer.owner && is_over(producer.slot);
    };
    for (Missing what; (what = missing(ring, *need)) != Missing::none;) {
        if (what == Missing::edges) {
            producers->filter([&](ProducerList::Producer producer) { return !over_and_needless(producer); });
            if (producers->count() != need->room.edges) {
                need->room.edges = producers->count();
                continue;
            }
            uint32_t lasting = 0;
            for (uint32_t i = 0; i < producers->count(); ++i) {
                lasting += producers->at(i).owner || !slots_[producers->at(i).slot].published;
            }
            Room wanted = need->room;
            wanted.edges = lasting;
            if (rings_[ring].always_missing(wanted) != Missing::none) {
                return refuse(ring, where, what, *need, out_error);
            }
        }
        // Uses of tensors are given back by the tasks of every ring.
        const auto concerns = [&](uint32_t other) { return other == ring || what == Missing::uses; };
        bool will_be_given_back = what != Missing::uses;
        for (uint32_t other = 0; other < ring_count; ++other) {
            will_be_given_back = will_be_given_back || rings_[other].older_than_group() != 0;
        }
        if (!will_be_given_back) return refuse(ring, where, what, *need, out_error);
        const auto changed = [&] {
            for (uint32_t other = 0; other < ring_count; ++other) {
                if (concerns(other) && oldest_is_free(other)) return true;
            }
            for (uint32_t i = 0; what == Missing::edges && i < producers->count(); ++i) {
                if (over_and_needless(producers->at(i))) return true;
            }
            return false;
        };
        if (!strand_->wait(what, changed)) return CH_INTERRUPTED;
        for (uint32_t other = 0; other < ring_count; ++other) {
            if (concerns(other)) reclaim(other);
        }
    }
    return CH_OK;
}

// The oldest task of a ring whose scope is open; none: there is no such task.
uint32_t RingRoom::first_kept(uint32_t ring) const {
    const TaskRing& of = rings_[ring];
    const uint32_t kept = of.count() - of.older_than_group();
    return kept != 0 ? of.slot_of(of.next_number() - kept) : none;
}

// There will never be room: what is missing is kept by scopes that are open.
Status RingRoom::refuse(uint32_t ring, const char* where, Missing what, const Need& need, ch_error* out_error) const {
    const Status failed = describe(ring, where, what, need, out_error);
    const graph::Ring& size = rings_[ring].sizes();
    if (need.room.heap_bytes > size.heap_bytes || need.room.edges > size.edge_count) return failed;
    uint32_t keeper = first_kept(ring);
    for (uint32_t other = 0; what == Missing::uses && other < ring_count && keeper == none; ++other) {
        keeper = first_kept(other);
    }
    if (keeper == none) return failed;
    append(out_error,
           "; who waits for whom: the orchestration waits for %s, which keeps that until its scope ends, "
           "which waits for the orchestration: a cycle",
           names_.task(tasks_[keeper]).text);
    return failed;
}

Status RingRoom::describe(uint32_t ring, const char* where, Missing what, const Need& need, ch_error* out_error) const {
    const TaskRing& of = rings_[ring];
    const graph::Ring& size = of.sizes();
    const uint32_t kept = of.count() - of.older_than_group();
    const graph::NameText first = kept != 0 ? names_.task(tasks_[first_kept(ring)]) : graph::NameText{};
    switch (what) {
        case Missing::heap:
            if (need.room.heap_bytes > size.heap_bytes) {
                return report(out_error, CH_HEAP_DEADLOCK, where, "wanted %llu bytes for new tensors, ring %u has %llu",
                              number(need.room.heap_bytes), ring, number(size.heap_bytes));
            }
            return report(out_error, CH_HEAP_DEADLOCK, where,
                          "wanted %llu bytes for new tensors; ring %u has %llu, and the %u task%s from %s on, of "
                          "scopes that are open or in them, keep what they made",
                          number(need.room.heap_bytes), ring, number(size.heap_bytes), kept, plural(kept), first.text);
        case Missing::edges:
            if (need.room.edges > size.edge_count) {
                return report(out_error, CH_DEP_POOL_DEADLOCK, where, "wanted %u edges for one task, ring %u has %u",
                              need.room.edges, ring, size.edge_count);
            }
            return report(out_error, CH_DEP_POOL_DEADLOCK, where,
                          "wanted %u edge%s; ring %u has %u, and the %u task%s from %s on, of scopes that are open or "
                          "in them, keep theirs",
                          need.room.edges, plural(need.room.edges), ring, size.edge_count, kept, plural(kept),
                          first.text);
        case Missing::uses:
            return report(out_error, CH_TENSOR_MAP_DEADLOCK, where,
                          "wanted to note %u uses of tensors; there is room for %u, and open scopes keep theirs",
                          need.uses, plan_->map_capacity);
        case Missing::record:
            return report(out_error, CH_WINDOW_DEADLOCK, where,
                          "the arguments of the %u task%s from %s on, of scopes that are open or in them, leave no "
                          "room for %llu bytes more in ring %u, which has %llu",
                          kept, plural(kept), first.text, number(need.room.record_bytes), ring,
                          number(size.record_bytes));
        default:
            break;
    }
    uint32_t of_open_scopes = 0;
    for (uint32_t i = kept; i > 0; --i) of_open_scopes += !slots_[of.slot_of(of.next_number() - i)].scope_ended;
    if (of_open_scopes == size.window) {
        return report(out_error, CH_SCOPE_DEADLOCK, where,
                      "the open scopes of ring %u have %u tasks, the ring has %u slots", ring, kept, size.window);
    }
    return report(out_error, CH_WINDOW_DEADLOCK, where,
                  "all slots of ring %u (%u slots) are taken by the %u tasks from %s on, which is of an open scope",
                  ring, size.window, kept, first.text);
}

}  // namespace chiphost::orchestrator
