// SPDX-License-Identifier: Apache-2.0
#include "oracle.h"

namespace chiphost::platform {

uint32_t RandomOracle::choose(const Decision& decision) {
    constexpr uint32_t seldom = 4;
    switch (decision.what) {
        case graph::Choice::acknowledgement:
        case graph::Choice::orchestration:
            return below(seldom) == 0 ? 1 : 0;
        case graph::Choice::task:
            if (decision.options[decision.count - 1] != graph::later) break;
            if (below(seldom) == 0) return decision.count - 1;
            return decision.count == 2 ? 0 : below(decision.count - 1);
        case graph::Choice::processor:
        case graph::Choice::core:
        case graph::Choice::visibility:
            break;
    }
    return below(decision.count);
}

}  // namespace chiphost::platform
