// SPDX-License-Identifier: Apache-2.0
//
// One MIX task of one block: its three kernels write what they know about their place.
//
// Arguments: output: float32 (3, 16), a line for each core.
#include <chiphost/device_graph.h>

using chiphost::require;
using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kOnAic = 0, kOnAiv = 1 };

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto output = args.tensor(0);
    require(output.dtype() == CH_FLOAT32 && output.ndims() == 2 && output.shape(0) == 3 && output.shape(1) == 16,
            "output must be float32 (3, 16)");

    graph.submit(Task::mixed(kOnAic, kOnAiv, kOnAiv).output(output));
    return 0;
}
