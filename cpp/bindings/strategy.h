// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "chiphost/isolate/strategy.h"

namespace chiphost::bindings {

// The strategy of a name. Raises ArgumentError, which says the names that there are, for any other word; `where` names
// the argument. Needs the GIL.
isolate::Strategy strategy_of(const std::string& name, const char* where);

}  // namespace chiphost::bindings
