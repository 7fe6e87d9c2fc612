// SPDX-License-Identifier: Apache-2.0
//
// (what, facts...): the orchestration makes the change `what` to its thread. If that is 0 it fails instead, with 100
// and the number of the first fact that differs here.
#include <chiphost/device_graph.h>

#include "thread_state.h"

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    (void)graph;
    const auto what = args.scalar<int64_t>(0);
    if (what != 0) {
        thread_state::change(static_cast<int>(what));
        return 0;
    }
    int64_t facts[thread_state::facts] = {};
    thread_state::look(facts);
    for (int i = 0; i < thread_state::facts; ++i) {
        if (facts[i] != args.scalar<int64_t>(1 + static_cast<uint32_t>(i))) return 100 + i;
    }
    return 0;
}
