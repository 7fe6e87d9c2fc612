// SPDX-License-Identifier: Apache-2.0
//
// A run that is made up, for the searches of the checker.
#pragma once

#include <stdint.h>

#include <vector>

#include "check/live_memory.h"
#include "check/segments.h"
#include "check/task_order.h"

namespace chiphost::tests {

struct MadeUpRun {
    static constexpr uint64_t base = 0x10000;  // of every buffer

    explicit MadeUpRun(uint64_t buffer_bytes) : bytes(buffer_bytes) {}

    uint32_t add_buffer() { return memory.add_buffer(check::Memory{}, base, base + bytes); }
    uint32_t add_segment(uint32_t node, int32_t block = 0, uint32_t slot = 0, check::Clock clock = {1, 0, 0}) {
        return segments.add({node, block, slot, clock, 0, 0});
    }
    void use(uint32_t buffer, uint32_t segment, uint64_t begin, uint64_t end, check::Action action,
             check::AtomicUse atomic = check::AtomicUse::load, bool copied = false) {
        memory.buffer(buffer).uses.push_back({base + begin, base + end, segment, action, atomic, copied});
    }
    void add_edge(uint32_t from, uint32_t to) {
        edges.push_back({from, to});
        order.add_edge(from, to);
    }

    const uint64_t bytes;
    check::LiveMemory memory;
    check::Segments segments;
    check::TaskOrder order;
    std::vector<check::TaskOrder::Pair> edges;
};

}  // namespace chiphost::tests
