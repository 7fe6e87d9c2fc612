// SPDX-License-Identifier: Apache-2.0
#include "coherence_search.h"

#include <algorithm>
#include <map>
#include <utility>

#include "race_search.h"

namespace chiphost::check {

std::vector<Incoherence> CoherenceSearch::find(bool in_blocks) {
    found_.clear();
    find_shared_lines();
    for (uint32_t buffer = 0; in_blocks && buffer < memory_.buffer_count(); ++buffer) find_in_blocks(buffer);
    return std::move(found_);
}

void CoherenceSearch::add(const char* what, uint32_t buffer, const Use& first, const Use& second, uint64_t begin,
                          uint64_t end) {
    const Buffer& memory = memory_.buffer(buffer);
    found_.push_back({what, first, second, std::max(begin, memory.begin), std::min(end, memory.end), buffer});
}

// Writes to one line that nothing puts in order. It is the search for races, in lines instead of bytes: who writes a
// line back writes all of it, and the order of two block copies to different bytes of it is all the same, as that of
// two reads is.
void CoherenceSearch::find_shared_lines() {
    RaceSearch search(segments_, order_);
    std::map<uint32_t, std::vector<Use>> writes;  // by buffer, with their own bytes
    for (uint32_t index = 0; index < memory_.buffer_count(); ++index) {
        const Buffer& buffer = memory_.buffer(index);
        const auto shares = [&](const Use& use) {
            const bool begins = use.begin % line_bytes_ != 0;
            const bool ends = use.end % line_bytes_ != 0 && use.end != buffer.end;
            return use.action == Action::write && !use.copied && (begins || ends);
        };
        if (std::none_of(buffer.uses.begin(), buffer.uses.end(), shares)) continue;
        std::vector<Use>& own = writes[index];
        std::vector<Use> in_lines;
        for (const Use& use : buffer.uses) {
            if (use.action != Action::write || segments_[use.segment].block < 0)
                continue;  // the AICPU has other caches
            own.push_back(use);
            const Lines lines = lines_of(use.begin, use.end);
            in_lines.push_back({lines.begin, lines.end, use.segment, use.copied ? Action::read : Action::write,
                                AtomicUse::load, use.copied});
        }
        const Lines all = lines_of(buffer.begin, buffer.end);
        search.add(index, all.begin, all.end, in_lines);
    }
    for (const Race& race : search.find()) {
        const Use& first = writes[race.buffer][race.first_number];
        const Use& second = writes[race.buffer][race.second_number];
        // What writes the same bytes is a race, whatever the caches do. Ranges that share several lines share them all
        // the same, so the first one of them shows it.
        for (uint64_t line = race.begin; line < race.end; line += line_bytes_) {
            const uint64_t end = line + line_bytes_;
            if (std::max({first.begin, second.begin, line}) < std::min({first.end, second.end, end})) continue;
            add("shared_line", race.buffer, first, second, line, end);
            break;
        }
    }
}

// What the cores of a cluster that run one block hand to each other in a buffer while they run.
void CoherenceSearch::find_in_blocks(uint32_t index) {
    const Buffer& buffer = memory_.buffer(index);
    std::map<std::pair<uint32_t, int32_t>, std::vector<Use>> blocks;  // by node and number
    for (const Use& use : buffer.uses) {
        const Segment& segment = segments_[use.segment];
        if (segment.block >= 0 && use.action != Action::atomic) blocks[{segment.node, segment.block}].push_back(use);
    }
    for (auto& [block, uses] : blocks) {
        const uint32_t first = uses.front().segment;
        const auto is_of_first = [&](const Use& use) { return same_core(first, use.segment); };
        if (std::all_of(uses.begin(), uses.end(), is_of_first)) continue;
        std::stable_sort(uses.begin(), uses.end(), [](const Use& a, const Use& b) { return a.begin < b.begin; });
        uint64_t longest = 0;
        for (const Use& use : uses) longest = std::max(longest, use.end - use.begin);
        for (const Use& write : uses) {
            if (!write.writes()) continue;
            const Lines lines = lines_of(write.begin, write.end);
            const uint64_t from = lines.begin > longest ? lines.begin - longest : 0;
            auto use = std::lower_bound(uses.begin(), uses.end(), from,
                                        [](const Use& each, uint64_t address) { return each.begin < address; });
            for (; use != uses.end() && use->begin < lines.end; ++use) {
                if (use->end > lines.begin && !same_core(write.segment, use->segment)) judge(index, uses, write, *use);
            }
        }
    }
}

bool CoherenceSearch::same_core(uint32_t segment, uint32_t other) const {
    const Segment& a = segments_[segment];
    const Segment& b = segments_[other];
    return a.node == b.node && a.block == b.block && a.slot == b.slot;
}

// Judges a use that comes after a write by another core of the same block. Uses that have no order are races.
void CoherenceSearch::judge(uint32_t buffer, const std::vector<Use>& uses, const Use& write, const Use& use) {
    if (!segments_.ordered_in_task(write.segment, use.segment)) return;
    const Lines lines = lines_of(write.begin, write.end).in(lines_of(use.begin, use.end));
    const uint64_t begin = std::max(write.begin, use.begin), end = std::min(write.end, use.end);
    const bool same_bytes = begin < end;
    if (!same_bytes && !use.writes()) return;

    uint32_t visible_from = write.segment;
    if (!write.copied) {
        const Flush* const flush = flush_after(write, lines);
        if (!flush || !segments_.ordered_in_task(flush->segment, use.segment)) {
            if (same_bytes) return add("unflushed_write", buffer, write, use, begin, end);
            return add("shared_line", buffer, write, use, lines.begin, lines.end);
        }
        visible_from = flush->segment;
    }
    if (use.copied) return;
    if (!use.writes()) {
        const Lines old = old_lines(uses, use, lines, visible_from);
        if (old.empty()) return;
        return add("stale_read", buffer, write, use, std::max(begin, old.begin), std::min(end, old.end));
    }
    // A line is written back with the bytes that it had before, but for those that the use has replaced.
    for (Lines each{lines.begin, lines.begin + line_bytes_}; each.begin < lines.end;
         each.begin = each.end, each.end += line_bytes_) {
        if (use.begin <= std::max(write.begin, each.begin) && use.end >= std::min(write.end, each.end)) continue;
        if (old_lines(uses, use, each, visible_from).empty()) continue;
        return add("shared_line", buffer, write, use, each.begin, each.end);
    }
}

// The first flush by the core of a use, after it, of all the lines; nullptr if there is none.
const Flush* CoherenceSearch::flush_after(const Use& use, Lines lines) const {
    auto flush = std::upper_bound(flushes_.begin(), flushes_.end(), use.segment,
                                  [](uint32_t segment, const Flush& each) { return segment < each.segment; });
    uint64_t missing = lines.begin;  // kernels flush line by line, in the order of addresses
    for (; flush != flushes_.end(); ++flush) {
        if (!same_core(flush->segment, use.segment) || flush->begin > missing || flush->end <= missing) continue;
        missing = flush->end;
        if (missing >= lines.end) return &*flush;
    }
    return nullptr;
}

// Lines that the core of a use may have in its cache since before memory had the other core's bytes: those of the first
// access that has brought some there.
CoherenceSearch::Lines CoherenceSearch::old_lines(const std::vector<Use>& uses, const Use& use, Lines lines,
                                                  uint32_t visible_from) const {
    for (const Use& before : uses) {
        if (before.copied || before.segment >= use.segment || !same_core(before.segment, use.segment)) continue;
        const Lines common = lines_of(before.begin, before.end).in(lines);
        if (common.empty() || segments_.ordered_in_task(visible_from, before.segment)) continue;
        const Flush* const flush = flush_after(before, common);
        if (!flush || flush->segment > use.segment) return common;
    }
    return {0, 0};
}

}  // namespace chiphost::check
