// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <algorithm>
#include <iterator>
#include <map>

namespace chiphost::check {

// A set of bytes, as ranges that do not touch each other. Memory is in proportion to the ranges.
class ByteRanges {
public:
    // Adds [begin, end).
    void add(uint64_t begin, uint64_t end) {
        if (begin >= end) return;
        auto at = ranges_.upper_bound(begin);
        if (at != ranges_.begin() && std::prev(at)->second >= begin) --at;
        while (at != ranges_.end() && at->first <= end) {
            begin = std::min(begin, at->first);
            end = std::max(end, at->second);
            at = ranges_.erase(at);
        }
        ranges_.emplace_hint(at, begin, end);
    }

    // Removes [begin, end).
    void remove(uint64_t begin, uint64_t end) {
        if (begin >= end) return;
        auto at = ranges_.upper_bound(begin);
        if (at != ranges_.begin() && std::prev(at)->second > begin) --at;
        while (at != ranges_.end() && at->first < end) {
            const auto [first, last] = *at;
            at = ranges_.erase(at);
            if (first < begin) ranges_.emplace_hint(at, first, begin);
            if (last > end) ranges_.emplace_hint(at, end, last);
        }
    }

    // The first byte of [begin, end) that is not in the set; `end` if all are.
    uint64_t first_missing(uint64_t begin, uint64_t end) const {
        const auto after = ranges_.upper_bound(begin);
        if (after == ranges_.begin()) return begin;
        return std::min(std::max(std::prev(after)->second, begin), end);
    }

    // Calls visit(begin, end) for the parts of [begin, end) that are in the set.
    template <typename Visit>
    void for_each_in(uint64_t begin, uint64_t end, Visit&& visit) const {
        auto at = ranges_.upper_bound(begin);
        if (at != ranges_.begin() && std::prev(at)->second > begin) --at;
        for (; at != ranges_.end() && at->first < end; ++at) {
            visit(std::max(at->first, begin), std::min(at->second, end));
        }
    }

    void clear() { ranges_.clear(); }

private:
    std::map<uint64_t, uint64_t> ranges_;  // begin to end
};

}  // namespace chiphost::check
