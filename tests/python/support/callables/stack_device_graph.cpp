// SPDX-License-Identifier: Apache-2.0
//
// (bytes): uses this many bytes of stack.
#include <alloca.h>

#include <chiphost/device_graph.h>

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    (void)graph;
    const auto bytes = args.scalar<int64_t>(0);
    volatile char* memory = static_cast<volatile char*>(alloca(static_cast<size_t>(bytes)));
    for (int64_t i = 0; i < bytes; i += 4096) memory[bytes - 1 - i] = 1;
    return 0;
}
