// SPDX-License-Identifier: Apache-2.0
//
// (out, bytes): uses this many bytes of stack, and so does a task of kernel 0 for each element.
#include <alloca.h>

#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto bytes = args.scalar<int64_t>(0);
    volatile char* memory = static_cast<volatile char*>(alloca(static_cast<size_t>(bytes)));
    for (int64_t i = 0; i < bytes; i += 4096) memory[bytes - 1 - i] = 1;
    const auto out = graph.copy_out(args.tensor(0));
    for (int64_t i = 0; i < args.tensor(0).shape(0); ++i) graph.add_task(chiphost::AIV, 0, {out, i, bytes});
    return 0;
}
