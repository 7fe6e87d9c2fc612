// SPDX-License-Identifier: Apache-2.0
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto deed = args.scalar<int32_t>(0);
    if (deed == 0) *reinterpret_cast<volatile int*>(32) = 1;
    const auto value = graph.copy_in_out(args.tensor(0));
    graph.add_task(chiphost::AIV, 0, {value, deed});
    return 0;
}
