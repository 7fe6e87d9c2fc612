// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <algorithm>

namespace chiphost::orchestrator {

// Where in a ring of memory the pieces lie that are not to be split: taken in order, given back in order.
//
// Pieces come in groups: all of a group are given back after it has ended, and none of it before. A group may have
// `keep_max` bytes, and lies in one run without a gap. It begins behind the one before, or at the ring's start if that
// would be beyond size - keep_max. So a group always has room for keep_max bytes behind its begin, wherever it begins:
// whether a piece will fit follows from the sizes of its group's pieces, not from who was how fast.
class RingSpan {
public:
    RingSpan() = default;
    RingSpan(uint64_t size, uint64_t keep_max) : size_(size), keep_max_(keep_max) {}

    // Where a group that begins now would begin.
    uint64_t next_begin() const {
        if (head_ == lap_) return head_;
        return head_ != tail_ && head_ - lap_ <= size_ - keep_max_ ? head_ : lap_ + size_;
    }
    void begin_group() {
        const uint64_t begin = next_begin();
        if (head_ == tail_) tail_ = begin;
        if (begin - lap_ >= size_) lap_ = begin;
        head_ = group_ = begin;
    }

    // True if a group would have more than it may.
    bool too_much(uint64_t bytes, bool in_group) const {
        return bytes > keep_max_ || (in_group && head_ - group_ > keep_max_ - bytes);
    }
    // True if a piece has room now. One that too_much() admits has room once all before its group is given back.
    bool fits(uint64_t bytes, bool in_group) const {
        const uint64_t begin = in_group ? head_ : next_begin();
        const uint64_t tail = head_ == tail_ ? begin : tail_;
        return begin + bytes - tail <= size_;
    }
    // Takes a piece of the group; it must fit. Returns its offset.
    uint64_t take(uint64_t bytes) {
        const uint64_t offset = head_ - lap_;
        head_ += bytes;
        if (bytes != 0) touched_ = std::max(touched_, offset + bytes);
        return offset;
    }

    // The position of what is taken next; give_back(position) gives back everything before it.
    uint64_t position() const { return head_; }
    // A position may be from before the ring was empty.
    void give_back(uint64_t position) { tail_ = std::max(tail_, position); }
    void clear() { head_ = tail_ = lap_ = group_ = 0; }

    // Bytes from the start that were taken at some time.
    uint64_t touched() const { return touched_; }

private:
    uint64_t size_ = 0;
    uint64_t keep_max_ = 0;
    // Positions count up, `size_` for a lap.
    uint64_t head_ = 0;   // of the next piece
    uint64_t tail_ = 0;   // of the oldest
    uint64_t lap_ = 0;    // where the ring starts
    uint64_t group_ = 0;  // where the group begins
    uint64_t touched_ = 0;
};

}  // namespace chiphost::orchestrator
