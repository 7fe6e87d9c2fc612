// SPDX-License-Identifier: Apache-2.0
//
// An orchestration that does one thing wrong; the scalar says which. Tensor 0 is an int32 output.
#include <stdexcept>

#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto out = args.tensor(0);
    const auto device = graph.copy_out(out);
    switch (args.scalar<int32_t>(0)) {
        case 1:
            return 77;
        case 2:
            throw std::runtime_error("what the orchestration says");
        case 3:
            graph.add_task(chiphost::AIV, 5000, {});
            return 0;
        case 4:
            graph.add_task(chiphost::AIV, 7, {});
            return 0;
        case 5:
            graph.add_task(chiphost::AIC, 0, {});  // kernel 0 is for AIV
            return 0;
        case 6:
            graph.add_task(static_cast<ch_core_type>(9), 0, {});
            return 0;
        case 7: {
            const auto a = graph.add_task(chiphost::AIV, 0, {}), b = graph.add_task(chiphost::AIV, 0, {});
            graph.add_successor(a, b);
            graph.add_successor(b, a);
            return 0;
        }
        case 8:
            graph.device_malloc(uint64_t{1} << 50);
            return 0;
        case 9:
            graph.add_task(chiphost::AIV, 0, {});  // the kernel throws
            return 0;
        case 10:
            graph.add_task(chiphost::AIV, 1, {device});  // the kernel never returns
            return 0;
        case 11:
            graph.add_successor(0, 1);
            return 0;
        default:
            return 0;
    }
}
