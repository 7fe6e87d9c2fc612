// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <algorithm>
#include <initializer_list>

#include "graph/task.h"

namespace chiphost::scheduler {

// Tasks that one AICPU thread has made ready during a step, by shape, the newest first. What the thread cannot start
// itself goes to the shared queues before the step ends.
class ReadyLists {
public:
    // False: there is no room.
    bool push(graph::Shape shape, uint32_t task) {
        uint32_t& count = counts_[index_of(shape)];
        if (count >= list_max) return false;
        tasks_[index_of(shape)][count++] = task;
        return true;
    }

    // Takes the newest task; graph::none if there is none.
    uint32_t pop(graph::Shape shape) {
        uint32_t& count = counts_[index_of(shape)];
        return count > 0 ? tasks_[index_of(shape)][--count] : graph::none;
    }

    uint32_t size(graph::Shape shape) const { return counts_[index_of(shape)]; }

    // The task that would be popped after `skipped` others, of which there must be more.
    uint32_t peek(graph::Shape shape, uint32_t skipped) const {
        return tasks_[index_of(shape)][counts_[index_of(shape)] - 1 - skipped];
    }

    // Takes that task; the others stay in their order.
    uint32_t pop(graph::Shape shape, uint32_t skipped) {
        uint32_t* const end = tasks_[index_of(shape)] + counts_[index_of(shape)];
        uint32_t* const taken = end - 1 - skipped;
        const uint32_t task = *taken;
        std::copy(taken + 1, end, taken);
        --counts_[index_of(shape)];
        return task;
    }

    bool empty(graph::Shape shape) const { return counts_[index_of(shape)] == 0; }

    // Calls take(shape, task) for every task, and is empty.
    template <typename Take>
    void take_all(Take&& take) {
        for (const graph::Shape shape : {graph::Shape::aic, graph::Shape::aiv, graph::Shape::mix}) {
            while (!empty(shape)) take(shape, pop(shape));
        }
    }

private:
    static constexpr uint32_t list_max = 64;

    static uint32_t index_of(graph::Shape shape) { return static_cast<uint32_t>(shape); }

    uint32_t counts_[graph::shape_count] = {0, 0, 0};
    uint32_t tasks_[graph::shape_count][list_max];
};

}  // namespace chiphost::scheduler
