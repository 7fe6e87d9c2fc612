// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <vector>

namespace chiphost::check {

// Which tasks must come before which: paths in the graph of a run. Nodes are numbered as they are added.
class TaskOrder {
public:
    struct Pair {
        uint32_t from, to;
        bool operator<(const Pair& other) const { return from != other.from ? from < other.from : to < other.to; }
        bool operator==(const Pair& other) const { return from == other.from && to == other.to; }
    };

    void clear();
    uint32_t add_node() { return node_count_++; }
    void add_nodes(uint32_t count) { node_count_ += count; }
    // Adds an edge. One that is given again right away is the same one.
    void add_edge(uint32_t from, uint32_t to) {
        const Pair edge{from, to};
        if (edges_.empty() || !(edges_.back() == edge)) edges_.push_back(edge);
    }
    uint32_t node_count() const { return node_count_; }
    // How many different edges there are. Of finished orders.
    uint64_t edge_count() const { return distinct_edges_; }

    // Call it once all nodes and edges are there, before what follows. Edges of a cycle lead nowhere.
    void finish();

    // The place of a node in one order that all edges agree with. If a path leads from one node to another, its rank is
    // lower.
    uint32_t rank(uint32_t node) const { return ranks_[node]; }

    // Removes from the list the pairs that a path connects, from the first to the second. The rank of the first is to
    // be the lower one. The list is sorted afterwards and has each pair once.
    //
    // Most pairs have an edge between them. For the others, paths are followed from 256 nodes at a time through the
    // nodes of the ranks between: in proportion to nodes and edges there, whatever the shape of the graph.
    void remove_ordered(std::vector<Pair>* inout_pairs) const;

private:
    struct Span {
        uint32_t begin, end;
    };
    Span predecessors_of_rank(uint32_t rank) const { return {first_predecessor_[rank], first_predecessor_[rank + 1]}; }
    void rank_nodes();
    bool has_edge(const Pair& pair) const;
    void follow(std::vector<Pair>* inout_pairs) const;

    uint32_t node_count_ = 0;
    uint64_t distinct_edges_ = 0;
    std::vector<Pair> edges_;
    std::vector<uint32_t> ranks_;              // by node
    std::vector<uint32_t> first_predecessor_;  // by rank: where its predecessors begin
    std::vector<uint32_t> predecessors_;       // ranks, ascending for each node
};

}  // namespace chiphost::check
