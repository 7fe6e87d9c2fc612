// SPDX-License-Identifier: Apache-2.0
//
// A graph of four tasks that an AICPU builds: two chains of two.
#include <chiphost/device_graph.h>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const chiphost::DeviceTensor input = args.tensor(0), output = args.tensor(1);
    const chiphost::TaskId first = graph.submit(chiphost::Task(chiphost::AIC, 0).input(input)).id();
    const chiphost::TaskId second = graph.submit(chiphost::Task(chiphost::AIV, 1).input(input)).id();
    graph.submit(chiphost::Task(chiphost::AIC, 0).input(input).after(first));
    graph.submit(chiphost::Task(chiphost::AIV, 1).output(output).after(second));
    return 0;
}
