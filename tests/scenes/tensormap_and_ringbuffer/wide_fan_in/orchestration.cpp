// SPDX-License-Identifier: Apache-2.0
//
// A task that waits for very many others, which all wait for one:
//
//                    +-> parts[0] = 1 * y ---+
//                    +-> parts[1] = 2 * y ---+
//    y = 2 * x ------+-> parts[2] = 3 * y ---+-> total = sum of the rows of parts
//                    |         ...           |
//                    +-> parts[n-1] = n * y -+
//
// A task has at most 32 tensors, so the parts are rows of one tensor. The last task has the whole of it as input and
// waits for every task that writes one of its rows. parts starts as NaN: a sum that came too early shows.
//
// Arguments: x, total: float32 vectors of one length; parts: int64, how many.
#include <chiphost/device_graph.h>

using chiphost::require;
using chiphost::Task;
using chiphost::TensorSpec;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kPrepare = 0, kScale = 1, kAddRows = 2 };

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), total = args.tensor(1);
    const auto count = args.scalar<int64_t>(0);
    require(x.dtype() == CH_FLOAT32 && x.ndims() == 1, "x must be a float32 vector");
    require(total.dtype() == CH_FLOAT32 && total.ndims() == 1 && total.shape(0) == x.shape(0),
            "total must have the dtype and shape of x");
    require(0 < count && count <= 4096, "parts must be 1 to 4096");
    const uint32_t elements = x.shape(0), rows = static_cast<uint32_t>(count);

    const auto nan = TensorSpec(CH_FLOAT32, {rows, elements}).initial(__builtin_nanf(""));
    const auto prepare = graph.submit(Task(chiphost::AIV, kPrepare).input(x).output(chiphost::like(x)).output(nan));
    const auto y = prepare.output(0), parts = prepare.output(1);
    for (uint32_t row = 0; row < rows; ++row) {
        const auto part = parts.view({1, elements}, {row, 0});
        graph.submit(Task(chiphost::AIV, kScale).input(y).output(part).scalar(static_cast<float>(row + 1)));
    }
    graph.submit(Task(chiphost::AIV, kAddRows).input(parts).output(total));
    return 0;
}
