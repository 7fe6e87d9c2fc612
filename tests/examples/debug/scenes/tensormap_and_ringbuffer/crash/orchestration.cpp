// SPDX-License-Identifier: Apache-2.0
#include <chiphost/device_graph.h>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto deed = args.scalar<int32_t>(0);
    if (deed == 0) *reinterpret_cast<volatile int*>(32) = 1;
    graph.submit(chiphost::Task(chiphost::AIV, 0).inout(args.tensor(0)).scalar(deed));
    return 0;
}
