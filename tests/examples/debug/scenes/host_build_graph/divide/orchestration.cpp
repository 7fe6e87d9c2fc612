// SPDX-License-Identifier: Apache-2.0
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto divisor = args.scalar<int32_t>(0);
    const auto value = graph.copy_in_out(args.tensor(0));
    graph.add_task(chiphost::AIV, 0, {value, divisor});  // stop here
    return 0;
}
