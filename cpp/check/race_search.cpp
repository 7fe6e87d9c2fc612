// SPDX-License-Identifier: Apache-2.0
#include "race_search.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace chiphost::check {

namespace {

constexpr uint32_t nobody = UINT32_MAX;

// A use in a list that several pieces of memory share: lists that are cut in two keep their common end.
struct Reader {
    uint32_t use;
    uint32_t next;
    uint32_t seen_by;  // the last write that was compared with it
};

// Bytes whose last write, and reads since, are the same.
struct Piece {
    uint64_t end;
    uint32_t writer;   // use; nobody: there was none
    uint32_t readers;  // list of Reader
};

// The bytes of a buffer while its uses are gone through in order.
class Pieces {
public:
    using Map = std::map<uint64_t, Piece>;

    Pieces(uint64_t begin, uint64_t end) { pieces_[begin] = {end, nobody, nobody}; }

    // Calls visit(piece's begin, piece) for what makes up [begin, end), cut at both.
    template <typename Visit>
    void for_each_in(uint64_t begin, uint64_t end, Visit&& visit) {
        cut(begin);
        cut(end);
        for (auto at = pieces_.lower_bound(begin); at != pieces_.end() && at->first < end; ++at) {
            visit(at->first, at->second);
        }
    }

    // Makes one piece of [begin, end), which was written.
    void write(uint64_t begin, uint64_t end, uint32_t use) {
        const auto first = pieces_.lower_bound(begin);
        pieces_.erase(std::next(first), pieces_.lower_bound(end));
        first->second = {end, use, nobody};
    }

private:
    void cut(uint64_t at) {
        auto piece = pieces_.upper_bound(at);
        if (piece == pieces_.begin()) return;
        --piece;
        if (piece->first == at || piece->second.end <= at) return;
        Piece rest = piece->second;
        piece->second.end = at;
        pieces_[at] = rest;
    }

    Map pieces_;
};

}  // namespace

void RaceSearch::add(uint32_t buffer, uint64_t begin, uint64_t end, const std::vector<Use>& uses) {
    const bool is_written = std::any_of(uses.begin(), uses.end(), [](const Use& use) { return use.writes(); });
    if (!is_written || uses.size() < 2) return;
    std::vector<uint32_t> in_order(uses.size());
    for (uint32_t i = 0; i < in_order.size(); ++i) in_order[i] = i;
    const auto place = [&](uint32_t use) {
        const Segment& segment = segments_[uses[use].segment];
        return std::make_tuple(order_.rank(segment.node), segment.block, uses[use].segment, uses[use].writes() ? 1 : 0);
    };
    std::sort(in_order.begin(), in_order.end(), [&](uint32_t a, uint32_t b) { return place(a) < place(b); });

    Pieces pieces(begin, end);
    std::vector<Reader> readers;
    const auto meet = [&](uint32_t earlier, uint32_t later, uint64_t from, uint64_t to) {
        const Use& first = uses[earlier];
        const Use& second = uses[later];
        if (first.segment == second.segment) return;
        const Segment& before = segments_[first.segment];
        const Segment& after = segments_[second.segment];
        const bool atomic = first.action == Action::atomic && second.action == Action::atomic;
        if (atomic && first.atomic == second.atomic && first.atomic >= AtomicUse::add) return;
        if (before.node == after.node) {
            if (atomic && before.block == after.block) return;  // how the cores of a block talk
            if (segments_.ordered_in_task(first.segment, second.segment)) return;
        } else {
            meetings_.push_back({before.node, after.node});
        }
        candidates_.push_back({first, second, earlier, later, from, to, buffer});
    };
    for (const uint32_t number : in_order) {
        const Use& use = uses[number];
        pieces.for_each_in(use.begin, use.end, [&](uint64_t from, Piece& piece) {
            if (!use.writes()) {
                if (piece.writer != nobody) meet(piece.writer, number, from, piece.end);
                readers.push_back({number, piece.readers, nobody});
                piece.readers = static_cast<uint32_t>(readers.size() - 1);
                return;
            }
            if (piece.writer != nobody) meet(piece.writer, number, from, piece.end);
            for (uint32_t at = piece.readers; at != nobody && readers[at].seen_by != number; at = readers[at].next) {
                readers[at].seen_by = number;
                meet(readers[at].use, number, from, piece.end);
            }
        });
        if (use.writes()) pieces.write(use.begin, use.end, number);
    }
}

std::vector<Race> RaceSearch::find() {
    std::sort(meetings_.begin(), meetings_.end());
    meetings_.erase(std::unique(meetings_.begin(), meetings_.end()), meetings_.end());
    std::vector<TaskOrder::Pair> unordered = meetings_;
    order_.remove_ordered(&unordered);
    const auto is_ordered = [&](const Race& race) {
        const TaskOrder::Pair pair{segments_[race.first.segment].node, segments_[race.second.segment].node};
        return pair.from != pair.to && !std::binary_search(unordered.begin(), unordered.end(), pair);
    };
    candidates_.erase(std::remove_if(candidates_.begin(), candidates_.end(), is_ordered), candidates_.end());
    return std::move(candidates_);
}

}  // namespace chiphost::check
