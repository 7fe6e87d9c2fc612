// SPDX-License-Identifier: Apache-2.0
#include "context.h"

#include "status/report.h"

namespace chiphost::worker {

Status Context::explore(Exploration* exploration, ch_error* out_error) {
    if (!exploration) return CH_OK;
    return report(out_error, CH_UNIMPLEMENTED, "exploration",
                  "a runtime in a child process runs one schedule at a time; wanted the isolation namespace or copy");
}

}  // namespace chiphost::worker
