// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <vector>

#include "strategy.h"

namespace chiphost::platform {

// Lets every order happen once, depth first: each launch repeats the choices of the one before up to the last that has
// an option left. Needs launches that have the same choices after the same choices.
class ExhaustiveStrategy final : public Strategy {
public:
    // every_core: the core on which a task runs makes another order, too.
    ExhaustiveStrategy(Level level, bool every_core) : Strategy(level, false), every_core_(every_core) {}
    uint32_t choose(const Decision& decision) override;
    void begin(uint64_t) override { depth_ = 0; }
    void heard(const Decision& decision) override { choose(decision); }
    bool ended(uint64_t) override;

private:
    struct Node {
        uint32_t chosen;
        uint32_t count;
    };

    const bool every_core_;
    std::vector<Node> path_;
    size_t depth_ = 0;
};

}  // namespace chiphost::platform
