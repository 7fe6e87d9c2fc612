// SPDX-License-Identifier: Apache-2.0
//
// C[m, n] += sum over k of A[m, k] @ B[k, n], for every matrix of a batch, in tiles of 64x64.
//
// One MIX task for each tile of C and each k. Its three kernels run at the same time on one cluster:
//
//                                 +-- upper half of P --> AIV0: adds it to C[m,n]
//    AIC: P = A[m,k] @ B[k,n] ----+
//                                 +-- lower half of P --> AIV1: adds it to C[m,n]
//
// P goes from core to core and never has a tensor. The tasks of one tile of C follow each other, because each of them
// reads and writes it; those of different tiles are independent.
//
// Arguments: see tiles.h.
#include <chiphost/device_graph.h>

#include "tiles.h"

using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kGemmPush = 2, kPopAdd = 3 };

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto a = args.tensor(0), b = args.tensor(1), c = args.tensor(2);
    check_arguments(a, b, c);
    const uint32_t batch = c.shape(0), rows = c.shape(1), columns = c.shape(2), depth = a.shape(2);

    for (uint32_t matrix = 0; matrix < batch; ++matrix) {
        for (uint32_t m = 0; m < rows; ++m) {
            for (uint32_t n = 0; n < columns; ++n) {
                const auto scope = graph.scope();
                for (uint32_t k = 0; k < depth; ++k) {
                    graph.submit(Task::mixed(kGemmPush, kPopAdd, kPopAdd)
                                     .input(tile(a, matrix, m, k))
                                     .input(tile(b, matrix, k, n))
                                     .inout(tile(c, matrix, m, n)));
                }
            }
        }
    }
    return 0;
}
