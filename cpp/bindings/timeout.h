// SPDX-License-Identifier: Apache-2.0
//
// Times to wait, as Python gives them: seconds, of which 0 means for ever.
#pragma once

#include <nanobind/nanobind.h>

#include "chiphost/isolate/library.h"

namespace chiphost::bindings {

// The number of an argument timeout_s. Raises ArgumentError if it is none, ConfigError if it is below 0. Needs the GIL.
double seconds_of(nanobind::handle timeout_s);

// The same as a time. None: `fallback`.
isolate::Timeout timeout_of(nanobind::handle timeout_s, isolate::Timeout fallback);

}  // namespace chiphost::bindings
