// SPDX-License-Identifier: Apache-2.0
#include "strategy.h"

#include "raise.h"

namespace chiphost::bindings {

isolate::Strategy strategy_of(const std::string& name, const char* where) {
    if (const auto strategy = isolate::find_strategy(name)) return *strategy;
    std::string names;
    for (const isolate::Strategy strategy : isolate::strategies) {
        names += (names.empty() ? "" : ", ") + std::string(isolate::strategy_name(strategy));
    }
    raise(CH_INVALID_ARGUMENT, where, "wanted one of " + names + "; found '" + name + "'");
}

}  // namespace chiphost::bindings
