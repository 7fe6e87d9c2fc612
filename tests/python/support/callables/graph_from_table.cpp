// SPDX-License-Identifier: Apache-2.0
//
// Builds any graph that the test describes.
//
//   tasks  int32 (n, 2)   func_id and core type of each task
//   edges  int32 (m, 2)   from, to
//   values uint64 (n)     what each task computes
//   calls  uint32 (n)     how often each task ran
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto tasks = args.tensor(0), edges = args.tensor(1), values = args.tensor(2), calls = args.tensor(3);
    const auto device_edges = graph.copy_in(edges);
    const auto device_values = graph.copy_in_out(values), device_calls = graph.copy_in_out(calls);
    const auto* task = tasks.data<int32_t>();
    for (uint32_t i = 0; i < tasks.shape(0); ++i, task += 2) {
        graph.add_task(static_cast<ch_core_type>(task[1]), task[0],
                       {device_edges, edges.shape(0), device_values, device_calls, i});
    }
    const auto* edge = edges.data<int32_t>();
    for (uint32_t i = 0; i < edges.shape(0); ++i, edge += 2) graph.add_successor(edge[0], edge[1]);
    return 0;
}
