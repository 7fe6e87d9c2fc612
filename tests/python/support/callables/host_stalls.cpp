// SPDX-License-Identifier: Apache-2.0
//
// Graphs that cannot end; the scalar says which. Tensor 0 is an int32 vector.
#include <chiphost/host_build_graph.h>

namespace {

enum FuncId : int32_t { kTouch, kWaitForFlag, kSpin };

}  // namespace

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto flags = graph.inout(args.tensor(0));
    switch (args.scalar<int32_t>(0)) {
        case 1:  // two kernels that wait for each other
            graph.add_task(chiphost::AIV, kWaitForFlag, {flags, 0, 1});
            graph.add_task(chiphost::AIV, kWaitForFlag, {flags, 1, 0});
            return 0;
        case 2:  // a kernel that waits for one that has returned
            graph.add_task(chiphost::AIV, kTouch, {flags});
            graph.add_task(chiphost::AIV, kWaitForFlag, {flags, 1, 0});
            return 0;
        case 3: {  // a task behind one that waits
            const auto first = graph.add_task(chiphost::AIV, kWaitForFlag, {flags, 0, 1});
            const auto second = graph.add_task(chiphost::AIV, kTouch, {flags});
            graph.add_successor(first, second);
            return 0;
        }
        case 4:  // a kernel that spins
            graph.add_task(chiphost::AIV, kSpin, {flags, 0, 1});
            return 0;
        case 5: {  // a cycle of three tasks
            int32_t tasks[3];
            for (int32_t& task : tasks) task = graph.add_task(chiphost::AIV, kTouch, {flags});
            for (int i = 0; i < 3; ++i) graph.add_successor(tasks[i], tasks[(i + 1) % 3]);
            return 0;
        }
        case 6:  // an edge from a task that was never added
            graph.add_successor(7, graph.add_task(chiphost::AIV, kTouch, {flags}));
            return 0;
        default:  // an orchestration that does not return
            for (volatile bool go_on = true; go_on;) {
            }
            return 0;
    }
}
