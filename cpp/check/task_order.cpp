// SPDX-License-Identifier: Apache-2.0
#include "task_order.h"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace chiphost::check {

void TaskOrder::clear() {
    node_count_ = 0;
    edges_.clear();
    distinct_edges_ = 0;
}

// Gives ranks: a node's number if all edges lead to later nodes, otherwise by Kahn's algorithm.
void TaskOrder::rank_nodes() {
    ranks_.resize(node_count_);
    std::iota(ranks_.begin(), ranks_.end(), 0);
    if (std::all_of(edges_.begin(), edges_.end(), [](const Pair& edge) { return edge.from < edge.to; })) return;
    std::vector<uint32_t> unmet(node_count_, 0);
    std::vector<uint32_t> first(node_count_ + 1, 0);
    for (const Pair& edge : edges_) {
        ++unmet[edge.to];
        ++first[edge.from + 1];
    }
    std::partial_sum(first.begin(), first.end(), first.begin());
    std::vector<uint32_t> successors(edges_.size());
    std::vector<uint32_t> fill(first.begin(), first.end() - 1);
    for (const Pair& edge : edges_) successors[fill[edge.from]++] = edge.to;
    std::vector<uint32_t> order;
    for (uint32_t node = 0; node < node_count_; ++node) {
        if (unmet[node] == 0) order.push_back(node);
    }
    ranks_.assign(node_count_, node_count_);
    for (uint32_t at = 0; at < order.size(); ++at) {
        ranks_[order[at]] = at;
        for (uint32_t i = first[order[at]]; i < first[order[at] + 1]; ++i) {
            if (--unmet[successors[i]] == 0) order.push_back(successors[i]);
        }
    }
    auto next = static_cast<uint32_t>(order.size());
    for (uint32_t& rank : ranks_) {
        if (rank == node_count_) rank = next++;  // of a cycle
    }
}

void TaskOrder::finish() {
    rank_nodes();
    distinct_edges_ = 0;
    first_predecessor_.assign(node_count_ + 1, 0);
    for (const Pair& edge : edges_) ++first_predecessor_[ranks_[edge.to] + 1];
    std::partial_sum(first_predecessor_.begin(), first_predecessor_.end(), first_predecessor_.begin());
    predecessors_.resize(edges_.size());
    std::vector<uint32_t> fill(first_predecessor_.begin(), first_predecessor_.end() - 1);
    for (const Pair& edge : edges_) predecessors_[fill[ranks_[edge.to]]++] = ranks_[edge.from];
    for (uint32_t rank = 0; rank < node_count_; ++rank) {
        const Span span = predecessors_of_rank(rank);
        const auto begin = predecessors_.begin() + span.begin, end = predecessors_.begin() + span.end;
        if (!std::is_sorted(begin, end)) std::sort(begin, end);
        for (auto at = begin; at != end; ++at) distinct_edges_ += at == begin || *at != *std::prev(at);
    }
}

bool TaskOrder::has_edge(const Pair& pair) const {
    const Span span = predecessors_of_rank(ranks_[pair.to]);
    return std::binary_search(predecessors_.begin() + span.begin, predecessors_.begin() + span.end, ranks_[pair.from]);
}

void TaskOrder::remove_ordered(std::vector<Pair>* inout_pairs) const {
    std::vector<Pair>& pairs = *inout_pairs;
    std::sort(pairs.begin(), pairs.end());
    pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
    pairs.erase(std::remove_if(pairs.begin(), pairs.end(), [&](const Pair& pair) { return has_edge(pair); }),
                pairs.end());
    if (!pairs.empty()) follow(inout_pairs);
}

void TaskOrder::follow(std::vector<Pair>* inout_pairs) const {
    constexpr uint32_t words = 4;
    constexpr uint32_t sources_max = words * 64;
    struct Reached {
        uint64_t word[words];
    };
    std::vector<Pair>& pairs = *inout_pairs;
    std::sort(pairs.begin(), pairs.end(), [&](const Pair& a, const Pair& b) {
        const uint32_t ranks[2] = {ranks_[a.from], ranks_[b.from]};
        return ranks[0] != ranks[1] ? ranks[0] < ranks[1] : a.to < b.to;
    });
    std::vector<Reached> reached;
    size_t kept = 0;
    for (size_t begin = 0, end = 0; begin < pairs.size(); begin = end) {
        std::vector<uint32_t> sources;  // ranks
        uint32_t last = 0;
        for (end = begin; end < pairs.size(); ++end) {
            const uint32_t from = ranks_[pairs[end].from];
            if (sources.empty() || sources.back() != from) {
                if (sources.size() == sources_max) break;
                sources.push_back(from);
            }
            last = std::max(last, ranks_[pairs[end].to]);
        }
        const uint32_t low = sources.front();
        reached.assign(last - low + 1, Reached{});
        for (uint32_t i = 0; i < sources.size(); ++i) reached[sources[i] - low].word[i / 64] |= uint64_t{1} << i % 64;
        for (uint32_t rank = low; rank <= last; ++rank) {
            const Span span = predecessors_of_rank(rank);
            Reached& own = reached[rank - low];
            for (uint32_t i = span.end; i-- > span.begin && predecessors_[i] >= low;) {
                if (predecessors_[i] >= rank) continue;  // of a cycle
                const Reached& before = reached[predecessors_[i] - low];
                for (uint32_t word = 0; word < words; ++word) own.word[word] |= before.word[word];
            }
        }
        uint32_t source = 0;
        for (size_t i = begin; i < end; ++i) {
            while (sources[source] != ranks_[pairs[i].from]) ++source;
            const Reached& to = reached[ranks_[pairs[i].to] - low];
            if (!(to.word[source / 64] >> source % 64 & 1)) pairs[kept++] = pairs[i];
        }
    }
    pairs.resize(kept);
    std::sort(pairs.begin(), pairs.end());
}

}  // namespace chiphost::check
