// SPDX-License-Identifier: Apache-2.0
//
// Tasks of a manual scope that come after tasks of scopes that have ended, all of one ring: (x, tasks).
#include <chiphost/device_graph.h>

#include <vector>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0);
    const auto count = args.scalar<uint32_t>(0);
    const uint32_t length = x.shape(0) / count;
    std::vector<chiphost::TaskId> before;
    for (uint32_t i = 0; i < count; ++i) {
        const auto scope = graph.scope();
        before.push_back(graph.submit(chiphost::Task(chiphost::AIV, 0).inout(x.view({length}, {i * length}))).id());
    }
    const auto scope = graph.scope(CH_SCOPE_MANUAL);
    for (uint32_t i = 0; i < count; ++i) {
        graph.submit(chiphost::Task(chiphost::AIV, 0).inout(x.view({length}, {i * length})).after(before[i]));
    }
    return 0;
}
