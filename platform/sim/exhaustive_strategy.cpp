// SPDX-License-Identifier: Apache-2.0
#include "exhaustive_strategy.h"

#include <algorithm>

#include "task_meetings.h"

namespace chiphost::platform {

void ExhaustiveStrategy::begin_again() {
    depth_ = 0;
    asleep_.clear();
    repeated_ = false;
}

uint32_t ExhaustiveStrategy::choose(const Decision& decision) {
    if (repeated_ || (decision.what == graph::Choice::core && !every_core_)) return 0;
    if (depth_ == path_.size()) {
        const Node node = make_node(decision);
        if (repeated_) return 0;
        path_.push_back(node);
    }
    const Node& node = path_[depth_++];
    // A launch that has other choices than the one before depends on something that is not chosen: the strategy goes on
    // with what there is, and comes to an end all the same.
    if (node.chosen >= decision.count || node.count != decision.count) return std::min(node.chosen, decision.count - 1);
    fall_asleep(node, decision);
    return node.chosen;
}

ExhaustiveStrategy::Node ExhaustiveStrategy::make_node(const Decision& decision) {
    Node node{0, decision.count, {}};
    if (!race_free_ || decision.what != graph::Choice::task) return node;
    for (uint32_t i = 0; i < decision.count; ++i) {
        const uint64_t name = name_of(decision, i);
        node.asleep.push_back(std::find(asleep_.begin(), asleep_.end(), name) != asleep_.end());
    }
    if (!node.asleep[0]) return node;
    if (!next_awake(&node)) repeated_ = true;
    return node;
}

// A choice that is none: what sleeps is all that there is, or nothing sleeps.
void ExhaustiveStrategy::forced(const Decision& decision) {
    if (asleep_.empty() || decision.what != graph::Choice::task) return;
    repeated_ = repeated_ || std::find(asleep_.begin(), asleep_.end(), name_of(decision, 0)) != asleep_.end();
}

// The options that were tried before this one, and those that slept already, sleep from now on unless they meet it.
void ExhaustiveStrategy::fall_asleep(const Node& node, const Decision& decision) {
    if (decision.what == graph::Choice::core) return;  // belongs to the task that was chosen before
    asleep_.clear();
    if (node.asleep.empty()) return;
    for (uint32_t i = 0; i < node.count; ++i) {
        const bool tried = i < node.chosen || node.asleep[i];
        if (tried && i != node.chosen && !meet(graph(), decision, node.chosen, i)) {
            asleep_.push_back(name_of(decision, i));
        }
    }
}

bool ExhaustiveStrategy::next_awake(Node* node) {
    uint32_t next = node->chosen + 1;
    while (next < node->count && !node->asleep.empty() && node->asleep[next]) ++next;
    if (next == node->count) return false;
    node->chosen = next;
    return true;
}

bool ExhaustiveStrategy::ended(uint64_t) {
    path_.resize(std::min(depth_, path_.size()));
    while (!path_.empty() && !next_awake(&path_.back())) path_.pop_back();
    return !path_.empty();
}

}  // namespace chiphost::platform
