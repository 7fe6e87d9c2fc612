// SPDX-License-Identifier: Apache-2.0
//
// sum = x + y, twice = 2 * sum, and x = 2 * y once x is not needed any more. One edge is missing.
//
// Arguments: x, y, twice: float32 vectors of one length.
#include <chiphost/host_build_graph.h>

enum FuncId : int32_t { kAdd = 0, kScale = 1 };

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto x = graph.inout(args.tensor(0)), y = graph.input(args.tensor(1)), twice = graph.output(args.tensor(2));
    const auto sum = graph.make(chiphost::like(x));
    const auto add = graph.add_task(chiphost::AIV, kAdd, {x, y, sum});
    const auto scale_sum = graph.add_task(chiphost::AIV, kScale, {sum, twice});
    graph.add_task(chiphost::AIV, kScale, {y, x});
    graph.add_successor(add, scale_sum);
    return 0;
}
