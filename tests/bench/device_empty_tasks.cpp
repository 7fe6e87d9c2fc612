// SPDX-License-Identifier: Apache-2.0
//
// Empty tasks that an AICPU submits. Scalars: the number of tasks; 0 if they are independent of each other, 1 for a
// chain, in which each task waits for the one before. In tensormap_and_ringbuffer the chain follows from a tensor that
// all tasks read and write; in aicpu_build_graph (third scalar 1) it is named.
#include <chiphost/device_graph.h>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto count = args.scalar<uint32_t>(0);
    const bool chain = args.scalar<uint32_t>(1) != 0;
    const bool named = args.scalar<uint32_t>(2) != 0;
    const chiphost::DeviceTensor tensor = args.tensor(0);
    chiphost::TaskId last;
    for (uint32_t i = 0; i < count; ++i) {
        chiphost::Task task(i % 2 ? chiphost::AIV : chiphost::AIC, i % 2);
        if (chain && !named) task.inout(tensor);
        if (chain && named && last) task.after(last);
        last = graph.submit(task).id();
    }
    return 0;
}
