// SPDX-License-Identifier: Apache-2.0
//
// Times to wait, as Python gives them: seconds, of which 0 means for ever.
#pragma once

#include <nanobind/nanobind.h>

#include "chiphost/isolate/wait.h"

namespace chiphost::bindings {

// The number of an argument timeout_s. Raises ArgumentError if it is none, ConfigError if it is below 0. Needs the GIL.
double seconds_of(nanobind::handle timeout_s);

// Seconds, of which 0 and 1e9 or more mean for ever, as a time.
isolate::Timeout timeout_of(double seconds);

// An argument timeout_s as a time; `fallback` for None. Raises what seconds_of raises.
isolate::Timeout timeout_of(nanobind::handle timeout_s, isolate::Timeout fallback);

}  // namespace chiphost::bindings
