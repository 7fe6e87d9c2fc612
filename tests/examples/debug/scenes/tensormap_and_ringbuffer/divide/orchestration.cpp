// SPDX-License-Identifier: Apache-2.0
#include <chiphost/device_graph.h>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto divisor = args.scalar<int32_t>(0);
    const auto value = args.tensor(0);
    graph.submit(chiphost::Task(chiphost::AIV, 0).inout(value).scalar(divisor));  // stop here
    return 0;
}
