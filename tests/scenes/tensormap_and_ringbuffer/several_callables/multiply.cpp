// SPDX-License-Identifier: Apache-2.0
//
// out = a @ b: one task of several blocks on matrix cores.
//
// Arguments, float32: a (rows, inner), b (inner, columns), out (rows, columns).
#include <chiphost/device_graph.h>

using chiphost::require;
using chiphost::Task;

namespace {

constexpr int32_t kMatmul = 0;  // the number that scene.py gives the kernel
constexpr uint32_t kBlocks = 4;

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(multiply, graph, args) {
    const auto a = args.tensor(0), b = args.tensor(1), out = args.tensor(2);
    for (int i = 0; i < 3; ++i) {
        require(args.tensor(i).dtype() == CH_FLOAT32 && args.tensor(i).ndims() == 2, "argument %d: no float32 matrix",
                i);
    }
    require(a.shape(1) == b.shape(0) && out.shape(0) == a.shape(0) && out.shape(1) == b.shape(1),
            "the shapes must be (rows, inner), (inner, columns) and (rows, columns)");
    graph.submit(Task(chiphost::AIC, kMatmul).input(a).input(b).output(out).blocks(kBlocks));
    return 0;
}
