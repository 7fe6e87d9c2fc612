// SPDX-License-Identifier: Apache-2.0
//
// (rows, what, who): `who` makes the change `what` to its thread: 0 nobody, 1 the orchestration, 2 a kernel for each
// row. Then a kernel for each row writes the facts that it finds; it follows the row's other kernel.
#include <chiphost/host_build_graph.h>

#include "thread_state.h"

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto out = graph.copy_out(args.tensor(0));
    const auto what = args.scalar<int64_t>(0);
    const auto who = args.scalar<int64_t>(1);
    if (who == 1) thread_state::change(static_cast<int>(what));
    const auto rows = static_cast<int64_t>(args.tensor(0).shape(0));
    for (int64_t row = 0; row < rows; ++row) {
        const auto look = graph.add_task(chiphost::AIV, 0, {out, row, int64_t{0}});
        if (who == 2) graph.add_successor(graph.add_task(chiphost::AIV, 0, {out, row, what}), look);
    }
    return 0;
}
