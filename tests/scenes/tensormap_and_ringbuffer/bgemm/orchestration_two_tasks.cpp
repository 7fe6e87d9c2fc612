// SPDX-License-Identifier: Apache-2.0
//
// C[m, n] += sum over k of A[m, k] @ B[k, n], for every matrix of a batch, in tiles of 64x64.
//
// Two tasks for each tile of C and each k: P = A[m, k] @ B[k, n] on AIC, with a P of its own, and C[m, n] += P on AIV.
// The products run side by side, the sums of one tile of C one after another:
//
//    P = A[m,0] @ B[0,n]     P = A[m,1] @ B[1,n]     P = A[m,2] @ B[2,n]
//             |                       |                       |
//         C[m,n] += P  ------->  C[m,n] += P  ------->  C[m,n] += P
//
// All edges are inferred: a sum waits for the task that made its P, and for the sum that wrote the same view of C
// before it. A scope for each tile of C lets the memory of its products be used again.
//
// Arguments: see tiles.h.
#include <chiphost/device_graph.h>

#include "tiles.h"

using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kGemmTile = 0, kAddTile = 1 };

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto a = args.tensor(0), b = args.tensor(1), c = args.tensor(2);
    check_arguments(a, b, c);
    const uint32_t batch = c.shape(0), rows = c.shape(1), columns = c.shape(2), depth = a.shape(2);

    const chiphost::TensorSpec product(CH_FLOAT32, {kTile, kTile});
    for (uint32_t matrix = 0; matrix < batch; ++matrix) {
        for (uint32_t m = 0; m < rows; ++m) {
            for (uint32_t n = 0; n < columns; ++n) {
                const auto scope = graph.scope();
                const auto tile_c = tile(c, matrix, m, n);
                for (uint32_t k = 0; k < depth; ++k) {
                    const auto gemm = graph.submit(Task(chiphost::AIC, kGemmTile)
                                                       .input(tile(a, matrix, m, k))
                                                       .input(tile(b, matrix, k, n))
                                                       .output(product));
                    graph.submit(Task(chiphost::AIV, kAddTile).inout(tile_c).input(gemm.output(0)));
                }
            }
        }
    }
    return 0;
}
