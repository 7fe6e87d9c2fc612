// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <vector>

#include "strategy.h"

namespace chiphost::platform {

// Lets every order happen once, depth first: each launch repeats the choices of the one before up to the last that has
// an option left. Needs launches that have the same choices after the same choices.
//
// With `race_free`, orders in which tasks change places that do not meet (task_meetings.h) happen once together. That
// is the method of sleep sets (P. Godefroid, "Partial-order methods for the verification of concurrent systems", 1996):
// an option that was tried sleeps in the options after it, until something happens that it meets. What sleeps is not
// chosen; a launch that can choose nothing else repeats one that there was.
class ExhaustiveStrategy final : public Strategy {
public:
    // every_core: the core on which a task runs makes another order, too.
    ExhaustiveStrategy(Level level, bool every_core, bool race_free)
        : Strategy(level, race_free), every_core_(every_core), race_free_(race_free) {}
    uint32_t choose(const Decision& decision) override;
    void forced(const Decision& decision) override;
    void begin(uint64_t) override { begin_again(); }
    void heard(const Decision& decision) override { choose(decision); }
    bool ended(uint64_t) override;
    bool repeats() const override { return repeated_; }

private:
    using Names = std::vector<uint64_t>;

    struct Node {
        uint32_t chosen;
        uint32_t count;
        std::vector<bool> asleep;  // by option; empty without race_free
    };

    void begin_again();
    Node make_node(const Decision& decision);
    void fall_asleep(const Node& node, const Decision& decision);
    static bool next_awake(Node* node);

    const bool every_core_;
    const bool race_free_;
    std::vector<Node> path_;
    size_t depth_ = 0;
    Names asleep_;           // what sleeps now
    bool repeated_ = false;  // this launch can only repeat another
};

}  // namespace chiphost::platform
