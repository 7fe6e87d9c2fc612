// SPDX-License-Identifier: Apache-2.0
//
// C[m, n] += sum over k of A[m, k] @ B[k, n], for every matrix of a batch, in tiles of 64x64.
//
// Each tile of C has one buffer P for its partial products. P is used again for every k, so the tasks of one tile of C
// form a chain,
//
//    P = A[m,0] @ B[0,n]  ->  C[m,n] += P  ->  P = A[m,1] @ B[1,n]  ->  C[m,n] += P  ->  ...
//          AIC                   AIV                AIC
//
// and the chains of different tiles run side by side.
//
// Arguments, float32, tile first (a tile is contiguous):
//   a (batch, M, K, 64, 64), b (batch, K, N, 64, 64), c (batch, M, N, 64, 64); c is read and written
#include <chiphost/host_build_graph.h>

using chiphost::require;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kGemmTile = 0, kAddTile = 1 };

constexpr uint32_t kTile = 64;  // as in the kernels
constexpr uint64_t kTileBytes = kTile * kTile * sizeof(float);

bool is_tiled(const chiphost::Tensor& tensor) {
    return tensor.dtype() == CH_FLOAT32 && tensor.ndims() == 5 && tensor.shape(3) == kTile && tensor.shape(4) == kTile;
}

}  // namespace

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const chiphost::Tensor a = args.tensor(0), b = args.tensor(1), c = args.tensor(2);
    require(is_tiled(a) && is_tiled(b) && is_tiled(c), "a, b and c must be float32 of shape (batch, ., ., 64, 64)");
    const uint32_t batch = c.shape(0), rows = c.shape(1), columns = c.shape(2), depth = a.shape(2);
    require(a.shape(0) == batch && b.shape(0) == batch, "a, b and c must have the same batch");
    require(a.shape(1) == rows, "a must have as many tile rows as c");
    require(b.shape(1) == depth, "b must have as many tile rows as a has tile columns");
    require(b.shape(2) == columns, "b must have as many tile columns as c");

    const auto dev_a = graph.copy_in(a), dev_b = graph.copy_in(b), dev_c = graph.copy_in_out(c);
    const uint64_t tiles = uint64_t{batch} * rows * columns;
    const auto products = graph.device_malloc(tiles * kTileBytes);

    for (uint64_t tile = 0; tile < tiles; ++tile) {
        const uint64_t n = tile % columns, m = tile / columns % rows, matrix = tile / columns / rows;
        const auto tile_c = dev_c + tile * kTileBytes, tile_p = products + tile * kTileBytes;
        chiphost::HostGraph::TaskId last_add = -1;
        for (uint64_t k = 0; k < depth; ++k) {
            const auto tile_a = dev_a + ((matrix * rows + m) * depth + k) * kTileBytes;
            const auto tile_b = dev_b + ((matrix * depth + k) * columns + n) * kTileBytes;
            const auto gemm = graph.add_task(chiphost::AIC, kGemmTile, {tile_a, tile_b, tile_p});
            const auto add = graph.add_task(chiphost::AIV, kAddTile, {tile_c, tile_p});
            if (k > 0) graph.add_successor(last_add, gemm);  // P must have been read before it is written again
            graph.add_successor(gemm, add);
            last_add = add;
        }
    }
    return 0;
}
