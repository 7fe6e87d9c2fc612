// SPDX-License-Identifier: Apache-2.0
//
// Tasks of one shape that are ready and that any AICPU thread may take.
#pragma once

#include <stdint.h>

#include <atomic>

#include "graph/task.h"

namespace chiphost::scheduler {

// A bounded queue for many producers and consumers: a ring of cells, each with a turn number that says whose it is next
// (D. Vyukov's bounded MPMC queue). The cells are in device memory and come prepared with the image, so that a queue of
// n tasks costs nothing to start.
class ReadyQueue {
public:
    // `capacity` is a power of two or 0; the first `ready` cells hold tasks.
    ReadyQueue(graph::QueueCell* cells, uint32_t capacity, uint32_t ready)
        : cells_(cells), mask_(capacity - 1), tail_(ready) {}

    // False: the queue is full, which a capacity of at least the number of tasks rules out.
    bool push(uint32_t task) {
        uint32_t tail = tail_.load(std::memory_order_relaxed);
        for (;;) {
            graph::QueueCell& cell = cells_[tail & mask_];
            const int32_t ahead = static_cast<int32_t>(__atomic_load_n(&cell.turn, __ATOMIC_ACQUIRE) - tail);
            if (ahead < 0) return false;
            if (ahead == 0 && tail_.compare_exchange_weak(tail, tail + 1, std::memory_order_relaxed)) {
                cell.task = task;
                __atomic_store_n(&cell.turn, tail + 1, __ATOMIC_RELEASE);
                return true;
            }
            if (ahead > 0) tail = tail_.load(std::memory_order_relaxed);
        }
    }

    // graph::none: nothing is ready.
    uint32_t pop() {
        uint32_t head = head_.load(std::memory_order_relaxed);
        for (;;) {
            if (mask_ == UINT32_MAX) return graph::none;
            graph::QueueCell& cell = cells_[head & mask_];
            const int32_t ahead = static_cast<int32_t>(__atomic_load_n(&cell.turn, __ATOMIC_ACQUIRE) - (head + 1));
            if (ahead < 0) return graph::none;
            if (ahead == 0 && head_.compare_exchange_weak(head, head + 1, std::memory_order_relaxed)) {
                const uint32_t task = cell.task;
                __atomic_store_n(&cell.turn, head + mask_ + 1, __ATOMIC_RELEASE);
                return task;
            }
            if (ahead > 0) head = head_.load(std::memory_order_relaxed);
        }
    }

    // About how many tasks wait; exact if nobody else is at work.
    uint32_t size() const {
        const uint32_t size = tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed);
        return static_cast<int32_t>(size) < 0 ? 0 : size;
    }

private:
    graph::QueueCell* const cells_;
    const uint32_t mask_;
    alignas(64) std::atomic<uint32_t> head_{0};
    alignas(64) std::atomic<uint32_t> tail_;
};

}  // namespace chiphost::scheduler
