// SPDX-License-Identifier: Apache-2.0
//
// Copies tensor 0 into tensor 1 through the device; the kernel gets a pointer to each and the number of bytes.
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto in = args.tensor(0), out = args.tensor(1);
    const auto device_in = graph.copy_in(in), device_out = graph.copy_out(out);
    graph.add_task(chiphost::AIV, 0, {device_in, device_out, in.bytes()});
    return 0;
}
