// SPDX-License-Identifier: Apache-2.0
//
// What the cores' data caches do to a run. A core's scalar unit reads and writes device memory in lines of its own
// cache; block copies pass it by. Lines are written back whole, when the kernel flushes them or ends, and a line that
// is in the cache does not change with memory (chiphost/data_cache.h).
#pragma once

#include <stdint.h>

#include <algorithm>
#include <vector>

#include "live_memory.h"
#include "segments.h"
#include "task_order.h"

namespace chiphost::check {

// A core has written lines back and dropped them. What it does afterwards belongs to the segment of the flush, what it
// did before to earlier ones.
struct Flush {
    uint32_t segment;
    uint64_t begin, end;  // addresses; all lines if it is the whole cache
};

// Two uses that the graph allows, and of which the caches make something else.
struct Incoherence {
    // unflushed_write: the second uses what the first has in its cache.
    // stale_read: the second reads from its cache what the first has replaced in memory.
    // shared_line: both write other bytes of one line, and one of them writes the line back over the other's.
    const char* what;
    Use first, second;
    uint64_t begin, end;
    uint32_t buffer;
};

class CoherenceSearch {
public:
    // `line_bytes`: a power of two. All are borrowed.
    CoherenceSearch(const LiveMemory& memory, const Segments& segments, const TaskOrder& order,
                    const std::vector<Flush>& flushes, uint32_t line_bytes)
        : memory_(memory), segments_(segments), order_(order), flushes_(flushes), line_bytes_(line_bytes) {}

    // `in_blocks`: there are blocks that several cores run together.
    std::vector<Incoherence> find(bool in_blocks);

private:
    // Lines that have a byte of a range.
    struct Lines {
        uint64_t begin, end;

        bool empty() const { return begin >= end; }
        Lines in(Lines other) const { return {std::max(begin, other.begin), std::min(end, other.end)}; }
    };

    Lines lines_of(uint64_t begin, uint64_t end) const {
        return {begin & ~uint64_t{line_bytes_ - 1}, (end + line_bytes_ - 1) & ~uint64_t{line_bytes_ - 1}};
    }
    void find_shared_lines();
    void find_in_blocks(uint32_t buffer);
    void judge(uint32_t buffer, const std::vector<Use>& uses, const Use& write, const Use& use);
    const Flush* flush_after(const Use& use, Lines lines) const;
    Lines old_lines(const std::vector<Use>& uses, const Use& use, Lines lines, uint32_t visible_from) const;
    bool same_core(uint32_t segment, uint32_t other) const;
    void add(const char* what, uint32_t buffer, const Use& first, const Use& second, uint64_t begin, uint64_t end);

    const LiveMemory& memory_;
    const Segments& segments_;
    const TaskOrder& order_;
    const std::vector<Flush>& flushes_;
    const uint32_t line_bytes_;
    std::vector<Incoherence> found_;
};

}  // namespace chiphost::check
