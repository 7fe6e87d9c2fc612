// SPDX-License-Identifier: Apache-2.0
//
// Tasks that an AICPU submits and that all do the same: one AIV kernel reads two tensors and writes the third. Scalars:
// the number of tasks, the func_id.
#include <chiphost/device_graph.h>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto count = args.scalar<uint32_t>(0);
    const auto func_id = args.scalar<int32_t>(1);
    const chiphost::DeviceTensor x = args.tensor(0), y = args.tensor(1), out = args.tensor(2);
    for (uint32_t i = 0; i < count; ++i) {
        graph.submit(chiphost::Task(chiphost::AIV, func_id).input(x).input(y).output(out));
    }
    return 0;
}
