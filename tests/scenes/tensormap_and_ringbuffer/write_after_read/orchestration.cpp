// SPDX-License-Identifier: Apache-2.0
//
// A matrix that is read by several tasks, then written again, and so on. In each round r
//
//    readers   corner = first element of band k of x                      for every band k of rows
//              results[r][k] = (k + 1) * band k of x - corner             in many blocks
//    writers   left half of x = left half of sources[r]
//              right half of x = right half of sources[r]
//
// The writers use nothing that the readers made. Still they have to wait for them, or a reader finds the values of the
// next round. Each band overlaps both halves, so each writer waits for all readers of its round, and each reader for
// both writers of the round before:
//
//    readers of round 0 -> writers of round 0 -> readers of round 1 -> writers of round 1 -> ...
//
// The second reader of a band has to wait for the first, the writers have to wait for the readers only: without that
// edge they come before the second readers in every order of tasks.
//
// Arguments, float32:
//   x        (rows, columns), read and written; the number of columns is even
//   sources  (rounds, rows, columns)
//   results  (rounds, bands, rows / bands, columns)
#include <chiphost/device_graph.h>

using chiphost::require;
using chiphost::Task;
using chiphost::TensorSpec;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kCorner = 0, kScale = 1, kCopy = 2 };

constexpr uint32_t kBlocks = 8;  // of each second reader

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), sources = args.tensor(1), results = args.tensor(2);
    require(x.dtype() == CH_FLOAT32 && x.ndims() == 2, "x must be float32 (rows, columns)");
    require(sources.dtype() == CH_FLOAT32 && sources.ndims() == 3, "sources must be float32 (rounds, rows, columns)");
    require(results.dtype() == CH_FLOAT32 && results.ndims() == 4,
            "results must be float32 (rounds, bands, rows of a band, columns)");
    const uint32_t rounds = sources.shape(0), bands = results.shape(1);
    const uint32_t rows = x.shape(0), columns = x.shape(1), band_rows = results.shape(2), half = columns / 2;
    require(sources.shape(1) == rows && sources.shape(2) == columns, "sources must have matrices of the shape of x");
    require(results.shape(0) == rounds && bands * band_rows == rows && results.shape(3) == columns,
            "results must have the rounds of sources and the rows and columns of x");
    require(columns % 2 == 0 && columns > 0, "x must have an even number of columns");

    const TensorSpec number(CH_FLOAT32, {1});
    for (uint32_t round = 0; round < rounds; ++round) {
        for (uint32_t band = 0; band < bands; ++band) {
            const auto in_band = x.view({band_rows, columns}, {band * band_rows, 0});
            const auto corner = graph.submit(Task(chiphost::AIV, kCorner).input(in_band).output(number)).output(0);

            Task scale(chiphost::AIV, kScale);
            scale.input(in_band).input(corner);
            scale.output(results.view({1, 1, band_rows, columns}, {round, band, 0, 0}));
            graph.submit(scale.scalar(static_cast<float>(band + 1)).blocks(kBlocks));
        }
        for (uint32_t side = 0; side < 2; ++side) {
            Task writer(chiphost::AIV, kCopy);
            writer.input(sources.view({1, rows, half}, {round, 0, side * half}));
            writer.output(x.view({rows, half}, {0, side * half}));
            graph.submit(writer);
        }
    }
    return 0;
}
