// SPDX-License-Identifier: Apache-2.0
//
// x = max(x + bias, 0): one task of several blocks on vector cores.
//
// Arguments, float32: x (rows, columns), bias (columns).
#include <chiphost/device_graph.h>

using chiphost::require;
using chiphost::Task;

namespace {

constexpr int32_t kAddBias = 0;  // the number that scene.py gives the kernel
constexpr uint32_t kBlocks = 5;

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(activate, graph, args) {
    const auto x = args.tensor(0), bias = args.tensor(1);
    require(x.dtype() == CH_FLOAT32 && x.ndims() == 2, "x must be a float32 matrix");
    require(bias.dtype() == CH_FLOAT32 && bias.ndims() == 1 && bias.shape(0) == x.shape(1),
            "bias must be a float32 vector as long as the rows of x");
    graph.submit(Task(chiphost::AIV, kAddBias).inout(x).input(bias).blocks(kBlocks));
    return 0;
}
