// SPDX-License-Identifier: Apache-2.0
#include "chiphost/isolate/strategy.h"

namespace chiphost::isolate {

const char* strategy_name(Strategy strategy) {
    switch (strategy) {
        case Strategy::link_namespace:
            return "namespace";
        case Strategy::copy:
            return "copy";
        case Strategy::process:
            return "process";
    }
    return "?";
}

std::optional<Strategy> find_strategy(std::string_view name) {
    for (const Strategy strategy : strategies) {
        if (name == strategy_name(strategy)) return strategy;
    }
    return std::nullopt;
}

}  // namespace chiphost::isolate
