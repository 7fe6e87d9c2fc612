// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <unordered_map>
#include <vector>

#include "graph/tensor_region.h"

namespace chiphost::check {

// The edges that follow from how tasks declare to use tensors: a read comes after the writes before it that it meets, a
// write after the reads and writes. This is tensormap_and_ringbuffer's rule, worked out anew, and without looking at
// what has completed: so it tells what holds for every schedule.
class EdgeRules {
public:
    void clear() { uses_.clear(); }

    // Calls found(node) for the nodes that a use of a region of a buffer has to wait for. A write makes those of its
    // region be forgotten: who comes later meets the write.
    template <typename Found>
    void find(uint32_t buffer, const graph::TensorRegion& region, bool write, Found&& found);

    // Adds a use.
    void add(uint32_t buffer, const graph::TensorRegion& region, bool write, uint32_t node) {
        uses_[buffer].push_back({region, node, write});
    }

private:
    struct DeclaredUse {
        graph::TensorRegion region;
        uint32_t node;
        bool write;
    };
    std::unordered_map<uint32_t, std::vector<DeclaredUse>> uses_;  // by buffer
};

template <typename Found>
void EdgeRules::find(uint32_t buffer, const graph::TensorRegion& region, bool write, Found&& found) {
    std::vector<DeclaredUse>& uses = uses_[buffer];
    size_t kept = 0;
    for (size_t i = 0; i < uses.size(); ++i) {
        const bool meets = (write || uses[i].write) && overlaps(uses[i].region, region);
        if (meets) found(uses[i].node);
        if (!(meets && write && covers(region, uses[i].region))) {
            if (kept != i) uses[kept] = uses[i];
            ++kept;
        }
    }
    uses.resize(kept);
}

}  // namespace chiphost::check
