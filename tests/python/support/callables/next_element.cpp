// SPDX-License-Identifier: Apache-2.0
// y[1] = x[0] + 1
#include <chiphost/device_graph.h>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    graph.write<float>(args.tensor(1), {1}, graph.read<float>(args.tensor(0), {0}) + 1);
    return 0;
}
