// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <vector>

#include "chiphost/abi/host_runtime.h"
#include "oracle.h"

namespace chiphost::platform {

// Chooses as a log says, and elsewhere as in the default order.
class ReplayOracle final : public Oracle {
public:
    // The log is borrowed.
    ReplayOracle(Level level, const ch_decision* log, uint64_t count)
        : Oracle(level, false), next_(log), end_(log + count) {}
    uint32_t choose(const Decision& decision) override;

private:
    const ch_decision* next_;
    const ch_decision* const end_;
    uint32_t number_ = 0;
};

// Asks another oracle, and notes every choice that is not the default order's.
class DecisionLog final : public Oracle {
public:
    // The oracle is borrowed. `out_log` gets the choices.
    DecisionLog(Oracle* oracle, std::vector<ch_decision>* out_log)
        : Oracle(oracle->level(), oracle->wants_names()), oracle_(*oracle), log_(*out_log) {
        log_.clear();
    }
    uint32_t choose(const Decision& decision) override;
    void forced(const Decision& decision) override { oracle_.forced(decision); }

    // Choices so far.
    uint32_t count() const { return number_; }

private:
    Oracle& oracle_;
    std::vector<ch_decision>& log_;
    uint32_t number_ = 0;
};

}  // namespace chiphost::platform
