// SPDX-License-Identifier: Apache-2.0
//
// Tasks that write the same matrix and read nothing of it. What comes out depends on their order alone.
//
// First, boxes painted over each other on `picture`. A painter waits for all earlier ones whose boxes overlap its own.
// Painters of boxes that do not overlap are independent. Every other painter gets its color late, through a chain of
// copies: the next one could start long before it. So a missing edge shows in every order of tasks.
//
//    copy -> copy -> copy -> painter 0   (waits for its color)
//                               |
//                            painter 1   (waits for painter 0 if their boxes overlap)
//
// Some boxes are mixed in (v = 3 v + color) instead of painted: these tasks have their box as inout.
//
// Then, on `wall`, many tiles that do not overlap, and two tasks that have to wait for every one of them: one reads
// the whole wall, the next one paints it over. The tiles get their colors late, so that none is done when those two are
// submitted, and the first tile last of all: who forgets the oldest of many writers comes before it.
//
//    copy -> ... -> copy -+-> tile 1 ----+
//                         +-> tile 2 ----+-> photo = wall -> wall = one color
//                         |    ...       |
//                         +-> copy -> ... -> copy -> tile 0
//
// Arguments:
//   boxes        int32 (boxes, 5): first row, first column, rows, columns, and 1 for mixing in or 0 for painting
//   colors       uint32 (1 + boxes, 1): of the background, then of each box
//   tile_colors  uint32 (tiles + 1, 1): of each tile, then of the whole wall
//   picture      uint32 (rows, columns)
//   wall         uint32 (rows, tiles): a tile is a column
//   photo        of the same shape
#include <chiphost/device_graph.h>

using chiphost::DeviceGraph;
using chiphost::DeviceTensor;
using chiphost::require;
using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kPaint = 0, kMixIn = 1, kCopy = 2 };

constexpr uint32_t kBlocks = 3;   // of each painter, so that it can be interrupted by others
constexpr int kCopies = 3;        // of a color that comes late
constexpr int kManyCopies = 200;  // take longer than all submissions after them

DeviceTensor delay(DeviceGraph& graph, DeviceTensor tensor, int copies) {
    for (int copy = 0; copy < copies; ++copy) {
        tensor = graph.submit(Task(chiphost::AIV, kCopy).input(tensor).output(chiphost::like(tensor))).output(0);
    }
    return tensor;
}

void paint_boxes(DeviceGraph& graph, const DeviceTensor& boxes, const DeviceTensor& colors,
                 const DeviceTensor& picture) {
    Task background(chiphost::AIV, kPaint);
    graph.submit(background.output(picture).input(colors.view({1, 1}, {0, 0})).blocks(kBlocks));

    for (uint32_t i = 0; i < boxes.shape(0); ++i) {
        const auto field = [&](uint32_t index) {
            return static_cast<uint32_t>(graph.read<int32_t>(boxes, {i, index}));
        };
        const auto box = picture.view({field(2), field(3)}, {field(0), field(1)});
        const bool mixes = field(4) != 0;
        const auto color = delay(graph, colors.view({1, 1}, {i + 1, 0}), i % 2 == 0 ? kCopies : 0);

        Task painter(chiphost::AIV, mixes ? kMixIn : kPaint);
        if (mixes) {
            painter.inout(box);
        } else {
            painter.output(box);
        }
        graph.submit(painter.input(color).blocks(kBlocks));
    }
}

void paint_tiles(DeviceGraph& graph, const DeviceTensor& colors, const DeviceTensor& wall, const DeviceTensor& photo) {
    const uint32_t rows = wall.shape(0), tiles = wall.shape(1);
    const auto late = delay(graph, colors, kManyCopies), last = delay(graph, late, kManyCopies);
    for (uint32_t tile = 0; tile < tiles; ++tile) {
        Task painter(chiphost::AIV, kPaint);
        painter.output(wall.view({rows, 1}, {0, tile}));
        graph.submit(painter.input((tile == 0 ? last : late).view({1, 1}, {tile, 0})));
    }
    graph.submit(Task(chiphost::AIV, kCopy).input(wall).output(photo));
    Task whole(chiphost::AIV, kPaint);
    whole.output(wall);
    graph.submit(whole.input(colors.view({1, 1}, {tiles, 0})));
}

bool is_matrix(const DeviceTensor& tensor, ch_dtype dtype, uint32_t rows, uint32_t columns) {
    return tensor.dtype() == dtype && tensor.ndims() == 2 && tensor.shape(0) == rows && tensor.shape(1) == columns;
}

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto boxes = args.tensor(0), colors = args.tensor(1), tile_colors = args.tensor(2);
    const auto picture = args.tensor(3), wall = args.tensor(4), photo = args.tensor(5);
    require(is_matrix(boxes, CH_INT32, boxes.shape(0), 5), "boxes must be int32 (boxes, 5)");
    require(is_matrix(colors, CH_UINT32, boxes.shape(0) + 1, 1), "colors must be uint32 (1 + boxes, 1)");
    require(picture.dtype() == CH_UINT32 && picture.ndims() == 2, "picture must be uint32 (rows, columns)");
    require(wall.dtype() == CH_UINT32 && wall.ndims() == 2, "wall must be uint32 (rows, tiles)");
    require(is_matrix(photo, CH_UINT32, wall.shape(0), wall.shape(1)), "photo must have the dtype and shape of wall");
    require(is_matrix(tile_colors, CH_UINT32, wall.shape(1) + 1, 1), "tile_colors must be uint32 (tiles + 1, 1)");

    paint_boxes(graph, boxes, colors, picture);
    paint_tiles(graph, tile_colors, wall, photo);
    return 0;
}
