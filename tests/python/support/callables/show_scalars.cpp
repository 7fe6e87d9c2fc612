// SPDX-License-Identifier: Apache-2.0
//
// Writes the words of the scalar arguments to a uint64 output.
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto out = args.tensor(0);
    const auto device = graph.device_malloc(out.bytes());
    uint64_t words[16] = {};
    for (uint32_t i = 0; i < args.scalar_count(); ++i) words[i] = args.scalar<uint64_t>(i);
    graph.copy_to_device(device, words, out.bytes());
    graph.record_tensor_pair(out.address(), device, out.bytes());
    return 0;
}
