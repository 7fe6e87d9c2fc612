// SPDX-License-Identifier: Apache-2.0
// Writes to both tensors, by a task or by an element: (first, second, how).
#include <chiphost/device_graph.h>

#include <optional>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const bool write_element = args.scalar<int64_t>(0) == 1;
    std::optional<chiphost::TaskId> before;
    for (uint32_t i = 0; i < 2; ++i) {
        if (write_element) {
            graph.write<float>(args.tensor(i), {0}, 9.0f);
            continue;
        }
        chiphost::Task task(chiphost::AIV, 0);
        task.inout(args.tensor(i));
        if (before) task.after(*before);
        before = graph.submit(task).id();
    }
    return 0;
}
