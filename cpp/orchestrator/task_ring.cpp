// SPDX-License-Identifier: Apache-2.0
#include "task_ring.h"

namespace chiphost::orchestrator {

void TaskRing::begin(const graph::Ring* sizes) {
    *this = TaskRing();
    sizes_ = sizes;
    heap_ = RingSpan(sizes->heap_bytes + sizes->heap_slack, sizes->heap_bytes);
    records_ = RingSpan(sizes->record_bytes + sizes->record_slack, sizes->record_bytes);
}

Missing TaskRing::missing(const Room& room) const {
    if (count() + room.slots > sizes_->window) return Missing::slot;
    if (!heap_.fits(room.heap_bytes, in_group())) return Missing::heap;
    if (!records_.fits(room.record_bytes, in_group())) return Missing::record;
    if (edge_head_ + room.edges - edge_tail_ > sizes_->edge_count) return Missing::edges;
    return Missing::none;
}

Missing TaskRing::always_missing(const Room& room) const {
    const uint32_t kept = in_group() ? head_ - group_number_ : 0;
    const uint64_t kept_edges = in_group() ? edge_head_ - edge_group_ : 0;
    if (kept + room.slots > sizes_->window) return Missing::slot;
    if (heap_.too_much(room.heap_bytes, in_group())) return Missing::heap;
    if (records_.too_much(room.record_bytes, in_group())) return Missing::record;
    if (kept_edges + room.edges > sizes_->edge_count) return Missing::edges;
    return Missing::none;
}

TaskRing::Place TaskRing::take(const Room& room, uint32_t scope, graph::Slot* slots) {
    if (!in_group()) {
        group_scope_ = scope;
        group_number_ = head_;
        heap_.begin_group();
        records_.begin_group();
        edge_group_ = edge_head_;
    }
    Place place{head_, slot_of(head_), 0, 0};
    graph::Slot& slot = slots[place.slot];
    slot.heap_begin = heap_.position();
    slot.record_begin = records_.position();
    slot.edge_begin = edge_head_;
    place.record = sizes_->first_record + records_.take(room.record_bytes) / sizeof(uint64_t);
    if (room.heap_bytes != 0) place.heap = sizes_->heap + heap_.take(room.heap_bytes);
    ++head_;
    return place;
}

uint32_t TaskRing::take_edge() {
    const uint32_t edge = sizes_->first_edge + next_edge_;
    next_edge_ = next_edge_ + 1 == sizes_->edge_count ? 0 : next_edge_ + 1;
    ++edge_head_;
    return edge;
}

void TaskRing::give_back(const graph::Slot* slots) {
    if (++tail_ == head_) {
        heap_.clear();
        records_.clear();
        edge_head_ = edge_tail_ = next_edge_ = 0;
        return;
    }
    // All before the next one's, and so what was skipped between them as well.
    const graph::Slot& next = slots[oldest()];
    heap_.give_back(next.heap_begin);
    records_.give_back(next.record_begin);
    edge_tail_ = next.edge_begin;
}

}  // namespace chiphost::orchestrator
