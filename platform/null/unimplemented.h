// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "status/report.h"
#include "status/status.h"

namespace chiphost::platform {

inline Status unimplemented(const char* function, ch_error* out_error) {
    return report(out_error, CH_UNIMPLEMENTED, function, "the platform does not have this function");
}

// For functions that have no error to return. They are reached only when there is a launch to call them: then saying
// which one is missing, and ending, is better than a launch that never ends.
[[noreturn]] inline void unimplemented(const char* function) {
    fprintf(stderr, "UNIMPLEMENTED: %s: the platform does not have this function\n", function);
    abort();
}

}  // namespace chiphost::platform
