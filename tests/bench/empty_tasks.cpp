// SPDX-License-Identifier: Apache-2.0
//
// Graphs of empty tasks. Scalars: the number of tasks, and the shape: 0 independent, 1 a chain.
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto tasks = args.scalar<int32_t>(0);
    const bool chain = args.scalar<int32_t>(1) == 1;
    for (int32_t i = 0; i < tasks; ++i) {
        const auto task = graph.add_task(i % 3 == 0 ? chiphost::AIC : chiphost::AIV, i % 3 == 0 ? 0 : 1, {i});
        if (chain && task > 0) graph.add_successor(task - 1, task);
    }
    return 0;
}
