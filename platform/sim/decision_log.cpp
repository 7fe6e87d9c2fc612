// SPDX-License-Identifier: Apache-2.0
#include "decision_log.h"

namespace chiphost::platform {

uint32_t ReplayOracle::choose(const Decision& decision) {
    const uint32_t number = number_++;
    while (next_ != end_ && next_->number < number) ++next_;
    if (next_ == end_ || next_->number != number) return 0;
    // A log that was shortened may name an option that this choice does not have.
    return next_->option < decision.count ? next_->option : 0;
}

uint32_t DecisionLog::choose(const Decision& decision) {
    const uint32_t chosen = oracle_.choose(decision);
    if (chosen != 0) log_.push_back({number_, chosen});
    ++number_;
    return chosen;
}

}  // namespace chiphost::platform
