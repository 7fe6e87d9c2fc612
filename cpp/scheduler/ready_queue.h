// SPDX-License-Identifier: Apache-2.0
//
// Tasks of one shape that are ready and that any AICPU thread may take.
#pragma once

#include <stdint.h>

#include "graph/task.h"

namespace chiphost::scheduler {

// A bounded queue for many producers and consumers: a ring of cells, each of which says whose it is next (D. Vyukov's
// bounded MPMC queue). Cells and positions are in device memory. A cell's lap is the position of its first cell in the
// current lap round the ring while it is free, and that plus one while it is taken: so zeroed memory is an empty queue.
class ReadyQueue {
public:
    explicit ReadyQueue(graph::Queue* queue)
        : queue_(queue), cells_(reinterpret_cast<graph::QueueCell*>(queue->cells)), capacity_(queue->capacity) {}

    // False: the queue is full.
    bool push(uint32_t task) {
        uint32_t tail = load(&queue_->tail);
        for (;;) {
            graph::QueueCell& cell = cells_[tail & (capacity_ - 1)];
            const int32_t ahead = static_cast<int32_t>(__atomic_load_n(&cell.lap, __ATOMIC_ACQUIRE) - lap(tail));
            if (ahead == 0) {
                if (!advance(&queue_->tail, &tail)) continue;
                cell.task = task;
                __atomic_store_n(&cell.lap, lap(tail) + 1, __ATOMIC_RELEASE);
                return true;
            }
            // The cell may also be one that another thread has taken from and not let go of yet. `tail` may be old by
            // now, and `head` already beyond it.
            const auto taken = static_cast<int32_t>(tail - load(&queue_->head));
            if (ahead < 0 && taken >= static_cast<int32_t>(capacity_)) return false;
            tail = load(&queue_->tail);
        }
    }

    // graph::none: nothing is ready.
    uint32_t pop() {
        if (capacity_ == 0) return graph::none;
        uint32_t head = load(&queue_->head);
        for (;;) {
            graph::QueueCell& cell = cells_[head & (capacity_ - 1)];
            const int32_t ahead = static_cast<int32_t>(__atomic_load_n(&cell.lap, __ATOMIC_ACQUIRE) - (lap(head) + 1));
            if (ahead < 0) return graph::none;
            if (ahead == 0) {
                if (!advance(&queue_->head, &head)) continue;
                const uint32_t task = cell.task;
                __atomic_store_n(&cell.lap, lap(head) + capacity_, __ATOMIC_RELEASE);
                return task;
            }
            head = load(&queue_->head);
        }
    }

    // The task that would be popped after `skipped` others, of which there must be more. Only while nobody else is at
    // work, and so is the next.
    uint32_t peek(uint32_t skipped) const { return cell(load(&queue_->head) + skipped).task; }

    // Takes that task; the others stay in their order.
    uint32_t pop(uint32_t skipped) {
        const uint32_t head = load(&queue_->head);
        const uint32_t task = cell(head + skipped).task;
        for (uint32_t at = head + skipped; at != head; --at) cell(at).task = cell(at - 1).task;
        cell(head).task = task;
        return pop();
    }

    // About how many tasks wait; exact if nobody else is at work.
    uint32_t size() const {
        const uint32_t size = load(&queue_->tail) - load(&queue_->head);
        return static_cast<int32_t>(size) < 0 ? 0 : size;
    }

private:
    static uint32_t load(const uint32_t* position) { return __atomic_load_n(position, __ATOMIC_RELAXED); }
    // Claims position *expected; otherwise *expected is what it is now.
    static bool advance(uint32_t* position, uint32_t* expected) {
        return __atomic_compare_exchange_n(position, expected, *expected + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    graph::QueueCell& cell(uint32_t position) const { return cells_[position & (capacity_ - 1)]; }
    uint32_t lap(uint32_t position) const { return position & ~(capacity_ - 1); }

    graph::Queue* const queue_;
    graph::QueueCell* const cells_;
    const uint32_t capacity_;
};

}  // namespace chiphost::scheduler
