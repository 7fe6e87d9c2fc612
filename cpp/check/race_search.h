// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <vector>

#include "live_memory.h"
#include "segments.h"
#include "task_order.h"

namespace chiphost::check {

// Two uses of the same bytes, of which one writes, that nothing puts in order.
struct Race {
    Use first, second;                     // in the order of the tasks' numbers
    uint32_t first_number, second_number;  // among the uses of the buffer
    uint64_t begin, end;
    uint32_t buffer;
};

// Finds the races of a run. Every two uses of a byte of which one writes must be in an order.
//
// It is enough to look at neighbours. The uses of a byte are taken in one order that the graph agrees with: a read has
// to be after the write before it, and a write after the reads since that, or after it if there are none. If all of
// these are in order, so are all others, as paths can be joined.
class RaceSearch {
public:
    RaceSearch(const Segments& segments, const TaskOrder& order) : segments_(segments), order_(order) {}

    // Takes what is to be searched: all uses of the bytes [begin, end), which `buffer` names in what is found.
    void add(uint32_t buffer, uint64_t begin, uint64_t end, const std::vector<Use>& uses);
    // The races in all that was added. Nothing is left to be searched afterwards.
    std::vector<Race> find();

    // The pairs of nodes whose uses meet, each once, sorted: what the graph's edges are for.
    const std::vector<TaskOrder::Pair>& meetings() const { return meetings_; }

private:
    const Segments& segments_;
    const TaskOrder& order_;
    std::vector<Race> candidates_;
    std::vector<TaskOrder::Pair> meetings_;
};

}  // namespace chiphost::check
