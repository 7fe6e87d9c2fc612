// SPDX-License-Identifier: Apache-2.0
//
// (last): fails with 100 if the orchestration's handler is not reached.
#include <chiphost/device_graph.h>

#include "handled_signal.h"

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    (void)graph;
    return handled_signal::reaches(args.scalar<int64_t>(0) != 0) == 1 ? 0 : 100;
}
