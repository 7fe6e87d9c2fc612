// SPDX-License-Identifier: Apache-2.0
//
// (out, number): prints the number, and so does a task of kernel 0.
#include <stdio.h>

#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto number = args.scalar<int64_t>(0);
    printf("orchestration %d\n", static_cast<int>(number));
    graph.add_task(chiphost::AIV, 0, {graph.copy_out(args.tensor(0)), number});
    return 0;
}
