// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "graph/orchestration.h"
#include "ring_span.h"

namespace chiphost::orchestrator {

// The room that a task takes in a ring, or an edge that is added to one.
struct Room {
    uint32_t slots = 1;         // 0 or 1
    uint64_t heap_bytes = 0;    // for new tensors, a multiple of their alignment
    uint64_t record_bytes = 0;  // for its arguments, a multiple of 64
    uint32_t edges = 0;
};

// The kinds of room, by which a ring says of which it has too little. An orchestration waits for one of them, or for an
// element.
enum class Missing : uint8_t { none, slot, heap, record, edges, uses, element };

// Slots, memory for new tensors, room for arguments, and edges of one ring: taken by tasks in the order in which they
// are submitted, given back in the same order. Used by the orchestrator's thread only.
//
// Scopes nest, so the tasks of a ring fall into groups: a group begins with a task when there is none, and ends with
// the scope of that task. All its tasks are of that scope or of scopes inside it, hence all are of ended scopes then.
// So at any time everything before the group is of ended scopes and will be given back; and nothing of the group can
// be before its scope ends, for the first task is in the way. What the group has, and what it may have, say whether
// there will be room: always_missing() is a function of the program alone.
class TaskRing {
public:
    // A place in the ring.
    struct Place {
        uint32_t number;  // of the task in the ring
        uint32_t slot;
        uint64_t record;  // index into Image::args
        uint64_t heap;    // device address, 0 if no tensor is made
    };

    // The sizes are borrowed.
    void begin(const graph::Ring* sizes);

    const graph::Ring& sizes() const { return *sizes_; }
    bool empty() const { return head_ == tail_; }
    uint32_t count() const { return head_ - tail_; }
    uint32_t next_number() const { return head_; }
    uint32_t oldest() const { return slot_of(tail_); }
    uint32_t slot_of(uint32_t number) const { return sizes_->first_slot + (number & (sizes_->window - 1)); }
    // True if the task of this number is in the ring.
    bool has(uint32_t number) const { return number - tail_ < head_ - tail_; }

    // Says what there is too little of now.
    Missing missing(const Room& room) const;
    // Says what there would be too little of if everything before the group had been given back: it will not be there.
    Missing always_missing(const Room& room) const;
    uint64_t free_edges() const { return sizes_->edge_count - (edge_head_ - edge_tail_); }
    // Tasks of ended scopes that are older than the group: they will be given back.
    uint32_t older_than_group() const { return in_group() ? group_number_ - tail_ : count(); }

    // Takes a slot, heap and records for a task of this scope (a number above 0); missing(room) must be none.
    Place take(const Room& room, uint32_t scope, graph::Slot* slots);
    // Takes one edge; there must be one left.
    uint32_t take_edge();

    // The innermost scope has ended, whether or not it has tasks in this ring.
    void scope_ended(uint32_t scope) {
        if (group_scope_ == scope) group_scope_ = 0;
    }

    // Bytes of the heap that were taken at some time.
    uint64_t heap_touched() const { return heap_.touched(); }

    // Gives back what the oldest task has taken.
    void give_back(const graph::Slot* slots);

private:
    bool in_group() const { return group_scope_ != 0; }

    const graph::Ring* sizes_ = nullptr;
    uint32_t head_ = 0;          // number of the next task
    uint32_t tail_ = 0;          // of the oldest
    uint32_t group_scope_ = 0;   // scope of the group's first task, 0: there is no group
    uint32_t group_number_ = 0;  // its number
    RingSpan heap_, records_;
    // Edges count up until the ring is empty.
    uint64_t edge_head_ = 0, edge_tail_ = 0, edge_group_ = 0;
    uint32_t next_edge_ = 0;  // edge_head_ modulo the number of edges
};

}  // namespace chiphost::orchestrator
