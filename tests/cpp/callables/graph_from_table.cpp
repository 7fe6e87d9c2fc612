// SPDX-License-Identifier: Apache-2.0
//
// An orchestration that builds any graph that the test describes.
//
// Tensors: tasks int32 (n, 2): func_id and core type; edges int32 (m, 2): from, to; log uint64 (n + 1): the kernels
// write into it the order in which the tasks ran.
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto tasks = args.tensor(0), edges = args.tensor(1), log = args.tensor(2);
    const auto device_log = graph.copy_in_out(log);
    const auto* task = tasks.data<int32_t>();
    for (uint32_t i = 0; i < tasks.shape(0); ++i, task += 2) {
        graph.add_task(static_cast<ch_core_type>(task[1]), task[0], {device_log, i});
    }
    const auto* edge = edges.data<int32_t>();
    for (uint32_t i = 0; i < edges.shape(0); ++i, edge += 2) graph.add_successor(edge[0], edge[1]);
    return 0;
}
