// SPDX-License-Identifier: Apache-2.0
#include <chiphost/device_graph.h>

using chiphost::Task;

// Doubles x twice: the second task reads what the first one wrote.
CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto twice =
        graph.submit(Task(chiphost::AIV, 0).input(args.tensor(0)).output(chiphost::like(args.tensor(0))));
    graph.submit(Task(chiphost::AIV, 0).input(twice.output(0)).output(args.tensor(1)));
    return 0;
}
