// SPDX-License-Identifier: Apache-2.0
#include "task_ring.h"

#include <algorithm>

namespace chiphost::orchestrator {

namespace {

// Where `bytes` begin in a ring of `size` if they must not be split. Position `head` is at `offset`.
uint64_t unsplit(uint64_t head, uint64_t offset, uint64_t bytes, uint64_t size) {
    return offset + bytes <= size ? head : head + (size - offset);
}

}  // namespace

// Where the heap goes on. If none of it is in use, that is its start, in the next lap.
uint64_t TaskRing::heap_begin() const {
    if (heap_head_ != heap_tail_) return heap_head_;
    return (heap_head_ + sizes_->heap_bytes - 1) / sizes_->heap_bytes * sizes_->heap_bytes;
}

uint64_t TaskRing::heap_start(uint64_t bytes) const {
    const uint64_t begin = heap_begin();
    return unsplit(begin, begin % sizes_->heap_bytes, bytes, sizes_->heap_bytes);
}

uint64_t TaskRing::record_start(uint64_t bytes) const {
    return unsplit(record_head_, record_head_ & (sizes_->record_bytes - 1), bytes, sizes_->record_bytes);
}

TaskRing::Missing TaskRing::missing(const Room& room) const {
    if (head_ - tail_ + room.slots > sizes_->window) return Missing::slot;
    if (room.heap_bytes != 0) {
        const uint64_t tail = heap_head_ == heap_tail_ ? heap_begin() : heap_tail_;
        if (heap_start(room.heap_bytes) + room.heap_bytes - tail > sizes_->heap_bytes) return Missing::heap;
    }
    if (record_start(room.record_bytes) + room.record_bytes - record_tail_ > sizes_->record_bytes) {
        return Missing::record;
    }
    if (edge_head_ + room.edges - edge_tail_ > sizes_->edge_count) return Missing::edges;
    return Missing::none;
}

TaskRing::Missing TaskRing::always_missing(const Room& room) const {
    if (room.heap_bytes > sizes_->heap_bytes) return Missing::heap;
    if (room.record_bytes > sizes_->record_bytes) return Missing::record;
    if (room.edges > sizes_->edge_count) return Missing::edges;
    return Missing::none;
}

TaskRing::Place TaskRing::take(const Room& room) {
    Place place{head_, slot_of(head_), 0, 0};
    const uint64_t record = record_start(room.record_bytes);
    place.record = sizes_->first_record + (record & (sizes_->record_bytes - 1)) / sizeof(uint64_t);
    record_head_ = record + room.record_bytes;
    if (room.heap_bytes != 0) {
        const uint64_t heap = heap_start(room.heap_bytes);
        if (heap_head_ == heap_tail_) heap_tail_ = heap;
        place.heap = sizes_->heap + heap % sizes_->heap_bytes;
        heap_head_ = heap + room.heap_bytes;
        heap_touched_ = std::max(heap_touched_, heap % sizes_->heap_bytes + room.heap_bytes);
    }
    ++head_;
    return place;
}

uint32_t TaskRing::take_edge() {
    const uint32_t edge = sizes_->first_edge + next_edge_;
    next_edge_ = next_edge_ + 1 == sizes_->edge_count ? 0 : next_edge_ + 1;
    ++edge_head_;
    return edge;
}

void TaskRing::give_back(const graph::Slot& slot) {
    // A task that made no tensor may have noted a position that was given up since.
    heap_tail_ = std::max(heap_tail_, slot.heap_end);

    record_tail_ = slot.record_end;
    edge_tail_ = slot.edge_end;
    if (++tail_ != head_) return;
    heap_head_ = heap_tail_ = record_head_ = record_tail_ = edge_head_ = edge_tail_ = 0;
    next_edge_ = 0;
}

}  // namespace chiphost::orchestrator
