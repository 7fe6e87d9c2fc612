// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <array>
#include <vector>

#include "graph/task.h"

namespace chiphost::check {

constexpr uint32_t cores_of_cluster = 3;

// For each core of a cluster how many segments of it certainly came before.
using Clock = std::array<uint32_t, cores_of_cluster>;

// A part of the execution of one kernel during which it waits for nobody, or an act of the orchestration. A kernel of
// one core is a single segment. Cores that run a block together begin a new one when they synchronize.
struct Segment {
    uint32_t node;  // of the graph
    int32_t block;  // -1: of the orchestration
    uint32_t slot;  // which core of its cluster
    Clock clock;    // when it began; its own entry counts itself
    int32_t core;
    int32_t func_id;
    uint32_t part = 0;  // how many parts of the same execution came before
};

// The segments of a run. Of a block's, one that comes after another has the higher number.
class Segments {
public:
    uint32_t add(const Segment& segment) {
        all_.push_back(segment);
        return static_cast<uint32_t>(all_.size() - 1);
    }
    const Segment& operator[](uint32_t index) const { return all_[index]; }
    void clear() { all_.clear(); }

    // True if both belong to one task and the first has ended before the second begins, whatever the schedule.
    bool ordered_in_task(uint32_t first, uint32_t second) const {
        const Segment& a = all_[first];
        const Segment& b = all_[second];
        return a.block == b.block && a.clock[a.slot] <= b.clock[a.slot];
    }

private:
    std::vector<Segment> all_;
};

}  // namespace chiphost::check
