// SPDX-License-Identifier: Apache-2.0
#include "exhaustive_strategy.h"

#include <algorithm>

namespace chiphost::platform {

uint32_t ExhaustiveStrategy::choose(const Decision& decision) {
    if (decision.what == graph::Choice::core && !every_core_) return 0;
    if (depth_ == path_.size()) path_.push_back({0, decision.count});
    // A launch that has other choices than the one before depends on something that is not chosen: the strategy goes on
    // with what there is, and comes to an end all the same.
    return std::min(path_[depth_++].chosen, decision.count - 1);
}

bool ExhaustiveStrategy::ended(uint64_t) {
    path_.resize(depth_);
    while (!path_.empty() && path_.back().chosen + 1 == path_.back().count) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().chosen;
    return true;
}

}  // namespace chiphost::platform
