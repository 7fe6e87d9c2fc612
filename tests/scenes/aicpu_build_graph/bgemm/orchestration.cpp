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
// Each tile of C has a scope: its tasks start when the scope ends, while the orchestration goes on with the next tile.
//
// Arguments, float32, tile first (a tile is contiguous):
//   a (batch, M, K, 64, 64), b (batch, K, N, 64, 64), c (batch, M, N, 64, 64); c is read and written
#include <chiphost/device_graph.h>

using chiphost::DeviceTensor;
using chiphost::require;
using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kGemmTile = 0, kAddTile = 1 };

constexpr uint32_t kTile = 64;  // as in the kernels

bool is_tiled(const DeviceTensor& tensor) {
    return tensor.dtype() == CH_FLOAT32 && tensor.ndims() == 5 && tensor.shape(3) == kTile && tensor.shape(4) == kTile;
}

DeviceTensor tile(const DeviceTensor& tensor, uint32_t matrix, uint32_t row, uint32_t column) {
    return tensor.view({1, 1, 1, kTile, kTile}, {matrix, row, column, 0, 0});
}

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto a = args.tensor(0), b = args.tensor(1), c = args.tensor(2);
    require(is_tiled(a) && is_tiled(b) && is_tiled(c), "a, b and c must be float32 of shape (batch, ., ., 64, 64)");
    const uint32_t batch = c.shape(0), rows = c.shape(1), columns = c.shape(2), depth = a.shape(2);
    require(a.shape(0) == batch && b.shape(0) == batch, "a, b and c must have the same batch");
    require(a.shape(1) == rows, "a must have as many tile rows as c");
    require(b.shape(1) == depth, "b must have as many tile rows as a has tile columns");
    require(b.shape(2) == columns, "b must have as many tile columns as c");

    const chiphost::TensorSpec product(CH_FLOAT32, {kTile, kTile});
    for (uint32_t matrix = 0; matrix < batch; ++matrix) {
        for (uint32_t m = 0; m < rows; ++m) {
            for (uint32_t n = 0; n < columns; ++n) {
                const auto scope = graph.scope();
                const auto tile_c = tile(c, matrix, m, n);
                chiphost::TaskId last_add;
                for (uint32_t k = 0; k < depth; ++k) {
                    const auto gemm = graph.submit(Task(chiphost::AIC, kGemmTile)
                                                       .input(tile(a, matrix, m, k))
                                                       .input(tile(b, matrix, k, n))
                                                       .output(product));
                    const auto add = graph.submit(Task(chiphost::AIV, kAddTile).inout(tile_c).input(gemm.output(0)));
                    graph.add_dependency(gemm.id(), add.id());
                    if (last_add) graph.add_dependency(last_add, add.id());
                    last_add = add.id();
                }
            }
        }
    }
    return 0;
}
