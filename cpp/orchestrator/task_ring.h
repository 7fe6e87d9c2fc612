// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "graph/orchestration.h"

namespace chiphost::orchestrator {

// What a task takes of a ring, or an edge that is added to one.
struct Room {
    uint32_t slots = 1;         // 0 or 1
    uint64_t heap_bytes = 0;    // for new tensors, a multiple of their alignment
    uint64_t record_bytes = 0;  // for its arguments, a multiple of 64
    uint32_t edges = 0;
};

// Slots, memory for new tensors, room for arguments, and edges of one ring: taken by tasks in the order in which they
// are submitted, given back in the same order. Used by the orchestrator's thread only.
//
// Heap and records are not split: what does not fit before the end of the ring begins at its start, and the rest is
// lost until then. Where nothing is in use they begin at the start again, so that the whole is in one piece.
class TaskRing {
public:
    enum class Missing : uint8_t { none, slot, heap, record, edges };

    // A place in the ring.
    struct Place {
        uint32_t number;  // of the task in the ring
        uint32_t slot;
        uint64_t record;  // index into Image::args
        uint64_t heap;    // device address, 0 if no tensor is made
    };

    // The sizes are borrowed.
    void begin(const graph::Ring* sizes) {
        *this = TaskRing();
        sizes_ = sizes;
    }

    const graph::Ring& sizes() const { return *sizes_; }
    bool empty() const { return head_ == tail_; }
    uint32_t count() const { return head_ - tail_; }
    uint32_t next_number() const { return head_; }
    uint32_t oldest() const { return slot_of(tail_); }
    uint32_t slot_of(uint32_t number) const { return sizes_->first_slot + (number & (sizes_->window - 1)); }
    // Whether the task of this number is in the ring.
    bool has(uint32_t number) const { return number - tail_ < head_ - tail_; }

    // What there is too little of now.
    Missing missing(const Room& room) const;
    // What an empty ring would have too little of: it will never be there.
    Missing always_missing(const Room& room) const;

    // Takes a slot, heap and records; missing(room) must be none.
    Place take(const Room& room);
    // Takes one edge; there must be one left.
    uint32_t take_edge();

    // The task in the slot has taken everything up to here.
    void note_end(graph::Slot* slot) const {
        slot->heap_end = heap_head_;
        slot->record_end = record_head_;
        slot->edge_end = edge_head_;
    }

    // Bytes of the heap that were taken at some time.
    uint64_t heap_touched() const { return heap_touched_; }

    // Gives back what the oldest task, in this slot, has taken.
    void give_back(const graph::Slot& slot);

private:
    uint64_t heap_begin() const;
    uint64_t heap_start(uint64_t bytes) const;

    uint64_t record_start(uint64_t bytes) const;

    const graph::Ring* sizes_ = nullptr;
    uint32_t head_ = 0;  // number of the next task
    uint32_t tail_ = 0;  // of the oldest
    // Positions count up until the ring is empty.
    uint64_t heap_head_ = 0, heap_tail_ = 0;
    uint64_t heap_touched_ = 0;
    uint64_t record_head_ = 0, record_tail_ = 0;
    uint64_t edge_head_ = 0, edge_tail_ = 0;
    uint32_t next_edge_ = 0;  // edge_head_ modulo the number of edges
};

}  // namespace chiphost::orchestrator
