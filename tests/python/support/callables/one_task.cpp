// SPDX-License-Identifier: Apache-2.0
//
// One task of kernel 0 with the first element of tensor 0 and the scalar as arguments.
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto out = graph.copy_out(args.tensor(0));
    graph.add_task(chiphost::AIV, 0, {out, args.scalar<uint64_t>(0)});
    return 0;
}
