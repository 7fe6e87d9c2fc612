// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "chiphost/abi/host_runtime.h"

namespace chiphost::worker {

// An exploration as a caller wants it, and what it has found so far. Plain data.
struct Exploration {
    ch_exploration record{};         // its pointers and sizes are filled in when it is run
    std::vector<ch_decision> log;    // of a replay
    std::vector<ch_decision> found;  // choices of the last schedule
};

}  // namespace chiphost::worker
