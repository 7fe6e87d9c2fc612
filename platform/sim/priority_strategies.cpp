// SPDX-License-Identifier: Apache-2.0
#include "priority_strategies.h"

#include <algorithm>

#include "graph/task.h"
#include "task_meetings.h"

namespace chiphost::platform {

using graph::Choice;

namespace {

// Index of the option with the highest rank.
template <typename Rank>
uint32_t highest(uint32_t count, Rank&& rank) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; ++i) {
        if (rank(i) > rank(best)) best = i;
    }
    return best;
}

bool is_event(const Decision& decision) {
    return decision.what == Choice::processor || decision.what == Choice::task;
}

}  // namespace

void PctStrategy::begin(uint64_t schedule) {
    PriorityStrategy::begin(schedule);
    begin_cores();
    step_ = 0;
    lowered_.clear();
    changes_.clear();
    if (level() == Level::tasks) return;
    for (uint32_t i = 1; i < depth_; ++i) changes_.push_back(below(steps_max_));
}

bool PctStrategy::ended(uint64_t) {
    steps_max_ = std::max(steps_max_, step_);
    return true;
}

// Those that were lowered come after all others.
uint64_t PctStrategy::rank(const Decision& decision, uint32_t option) const {
    const uint64_t name = name_of(decision, option);
    const auto lowered = lowered_.find(name);
    return lowered == lowered_.end() ? priority(name) | uint64_t{1} << 63 : lowered->second;
}

uint32_t PctStrategy::choose(const Decision& decision) {
    if (decision.what == Choice::core) return level() == Level::tasks ? below(decision.count) : 0;
    // A core that pauses between its acknowledgement and the kernel makes two steps of one.
    if (decision.what == Choice::acknowledgement) return 1;
    if (!is_event(decision) || (decision.what == Choice::task && level() == Level::steps)) return 0;
    const auto best = [&] { return highest(decision.count, [&](uint32_t i) { return rank(decision, i); }); };
    for (uint32_t i = 0; i < changes_.size(); ++i) {
        if (changes_[i] == step_) lowered_[name_of(decision, best())] = i;
    }
    ++step_;
    return best();
}

void PosStrategy::begin(uint64_t schedule) {
    PriorityStrategy::begin(schedule);
    begin_cores();
    drawn_.clear();
}

uint64_t PosStrategy::rank(const Decision& decision, uint32_t option) const {
    const uint64_t name = name_of(decision, option);
    const auto drawn = drawn_.find(name);
    return priority(drawn == drawn_.end() ? name : name ^ mixed(drawn->second));
}

// The event that was chosen happens now. What meets it draws again, and so does what it will do next.
void PosStrategy::draw_again(const Decision& decision, uint32_t chosen) {
    ++drawn_[name_of(decision, chosen)];
    for (uint32_t i = 0; i < decision.count; ++i) {
        if (i != chosen && meet(graph(), decision, chosen, i)) ++drawn_[name_of(decision, i)];
    }
}

uint32_t PosStrategy::choose(const Decision& decision) {
    if (!is_event(decision)) return decision.what == Choice::core ? below(decision.count) : below(4) == 0;
    if (decision.what == Choice::task && level() == Level::steps) {
        const bool may_wait = decision.options[decision.count - 1] == graph::later;
        if (may_wait && below(4) == 0) return decision.count - 1;
        return below(may_wait ? decision.count - 1 : decision.count);
    }
    const uint32_t chosen = highest(decision.count, [&](uint32_t i) { return rank(decision, i); });
    draw_again(decision, chosen);
    return chosen;
}

}  // namespace chiphost::platform
