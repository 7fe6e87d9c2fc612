// SPDX-License-Identifier: Apache-2.0
//
// A task that waits for very many others, which all wait for one:
//
//                           +-> parts[0] = 1 * y -------+
//                           +-> parts[1] = 2 * y -------+
//    y = 2 * x, through  ---+-> parts[2] = 3 * y -------+-> total = sum of the rows of parts
//    a chain of copies      |         ...               |
//                           +-> parts[n-1] = n * late --+
//
// A task has at most 32 tensors, so the parts are rows of one tensor. The last task has the whole of it as input and
// waits for every task that writes one of its rows. parts starts as NaN: a sum that came too early shows.
//
// The chain keeps all parts from being done before the last task is submitted. One part uses `late`, the end of a
// second chain, and is done long after the others: whoever does not wait for it comes too early in every order of
// tasks. This is done twice, so that it is once the part that is submitted last, as above, and once the one submitted
// first.
//
// Arguments: x: float32 (elements); total: float32 (2, elements); parts: int64, how many.
#include <chiphost/device_graph.h>

using chiphost::DeviceTensor;
using chiphost::require;
using chiphost::Task;
using chiphost::TensorSpec;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kPrepare = 0, kScale = 1, kAddRows = 2 };

constexpr int kCopies = 200;  // in each chain

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), total = args.tensor(1);
    const auto count = args.scalar<int64_t>(0);
    require(x.dtype() == CH_FLOAT32 && x.ndims() == 1, "x must be a float32 vector");
    require(total.dtype() == CH_FLOAT32 && total.ndims() == 2 && total.shape(0) == 2 && total.shape(1) == x.shape(0),
            "total must be float32 (2, elements)");
    require(0 < count && count <= 4096, "parts must be 1 to 4096");
    const uint32_t elements = x.shape(0), rows = static_cast<uint32_t>(count);

    const auto nan = TensorSpec(CH_FLOAT32, {rows, elements}).initial(__builtin_nanf(""));
    Task prepare(chiphost::AIV, kPrepare);
    const auto prepared = graph.submit(prepare.input(x).output(chiphost::like(x)).output(nan).output(nan));
    const auto delay = [&](DeviceTensor tensor) {
        for (int copy = 0; copy < kCopies; ++copy) {
            Task scale(chiphost::AIV, kScale);
            scale.input(tensor).output(chiphost::like(tensor)).scalar(1.0f);
            tensor = graph.submit(scale).output(0);
        }
        return tensor;
    };
    const auto y = delay(prepared.output(0)), late = delay(y);
    for (uint32_t which = 0; which < 2; ++which) {
        const auto parts = prepared.output(1 + which);
        const uint32_t late_row = which == 0 ? rows - 1 : 0;
        for (uint32_t row = 0; row < rows; ++row) {
            Task scale(chiphost::AIV, kScale);
            scale.input(row == late_row ? late : y).output(parts.view({1, elements}, {row, 0}));
            graph.submit(scale.scalar(static_cast<float>(row + 1)));
        }
        graph.submit(Task(chiphost::AIV, kAddRows).input(parts).output(total.view({1, elements}, {which, 0})));
    }
    return 0;
}
