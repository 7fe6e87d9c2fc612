// SPDX-License-Identifier: Apache-2.0
//
// The smallest useful graph: a diamond of four empty tasks between an input and an output.
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto in = graph.copy_in(args.tensor(0));
    const auto out = graph.copy_out(args.tensor(1));
    const auto first = graph.add_task(chiphost::AIV, 1, {in, out});
    const auto left = graph.add_task(chiphost::AIC, 0, {in, out});
    const auto right = graph.add_task(chiphost::AIC, 0, {in, out});
    const auto last = graph.add_task(chiphost::AIV, 1, {in, out});
    graph.add_successor(first, left);
    graph.add_successor(first, right);
    graph.add_successor(left, last);
    graph.add_successor(right, last);
    return 0;
}
