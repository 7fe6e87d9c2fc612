// SPDX-License-Identifier: Apache-2.0
//
// y = (3 x + 1) - x * x, then the same of y, with tiles that go from core to core and back:
//
//              +-- tile --> AIV0: 3 x + 1 --+
//    AIC: -----+                            +--> AIC: difference
//              +-- tile --> AIV1: x * x ----+
//
// Each is one MIX task with many tiles. The AIC deals tiles ahead of the results, more than a queue holds, so all three
// wait for each other all the time. The second task starts after the first and finds its queues empty.
//
// Arguments: x, out: float32 (tiles, elements); blocks: int64, of each task.
#include <chiphost/device_graph.h>

#include "tile.h"

using chiphost::require;
using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kDeal = 0, kLine = 1, kSquare = 2 };

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), out = args.tensor(1);
    const auto blocks = args.scalar<int64_t>(0);
    require(x.dtype() == CH_FLOAT32 && x.ndims() == 2, "x must be float32 (tiles, elements)");
    require(out.dtype() == CH_FLOAT32 && out.ndims() == 2 && out.shape(0) == x.shape(0) && out.shape(1) == x.shape(1),
            "out must have the dtype and shape of x");
    require(x.shape(1) <= kMaxTile, "a tile has at most %u elements, found %u", kMaxTile, x.shape(1));
    require(0 < blocks && blocks <= 1024, "blocks must be 1 to 1024");

    Task first = Task::mixed(kDeal, kLine, kSquare), second = first;
    first.input(x).output(chiphost::like(x)).blocks(static_cast<uint32_t>(blocks));
    const auto y = graph.submit(first).output(0);
    second.input(y).output(out).blocks(static_cast<uint32_t>(blocks));
    graph.submit(second);
    return 0;
}
