// SPDX-License-Identifier: Apache-2.0
//
// Boxes painted over each other on one canvas. What comes out depends on the order wherever boxes overlap, so a painter
// waits for all earlier ones whose boxes overlap its own, although it reads nothing of what they wrote. Painters of
// boxes that do not overlap are independent.
//
// Every other painter gets its color late, through a chain of copies: the next one could start long before it. So a
// missing edge shows in every order of tasks.
//
//    copy -> copy -> copy -> painter 0   (waits for its color)
//                               |
//                            painter 1   (waits for painter 0 if their boxes overlap)
//
// Some boxes are mixed in (v = 3 v + color) instead of painted: these tasks have their box as inout. A last task copies
// the whole canvas to `picture`.
//
// Arguments:
//   boxes    int32 (boxes, 5): first row, first column, rows, columns, and 1 for mixing in or 0 for painting
//   colors   uint32 (1 + boxes, 1): of the background, then of each box
//   picture  uint32 (rows, columns)
#include <chiphost/device_graph.h>

using chiphost::DeviceTensor;
using chiphost::require;
using chiphost::Task;
using chiphost::TensorSpec;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kPaint = 0, kMixIn = 1, kCopy = 2 };

constexpr uint32_t kBlocks = 3;  // of each painter, so that it can be interrupted by others
constexpr int kCopies = 3;       // of a color that comes late

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto boxes = args.tensor(0), colors = args.tensor(1), picture = args.tensor(2);
    require(boxes.dtype() == CH_INT32 && boxes.ndims() == 2 && boxes.shape(1) == 5, "boxes must be int32 (boxes, 5)");
    require(colors.dtype() == CH_UINT32 && colors.ndims() == 2 && colors.shape(0) == boxes.shape(0) + 1 &&
                colors.shape(1) == 1,
            "colors must be uint32 (1 + boxes, 1)");
    require(picture.dtype() == CH_UINT32 && picture.ndims() == 2, "picture must be uint32 (rows, columns)");

    Task background(chiphost::AIV, kPaint);
    background.output(TensorSpec(CH_UINT32, {picture.shape(0), picture.shape(1)}));
    background.input(colors.view({1, 1}, {0, 0})).blocks(kBlocks);
    const auto canvas = graph.submit(background).output(0);

    for (uint32_t i = 0; i < boxes.shape(0); ++i) {
        const auto field = [&](uint32_t index) {
            return static_cast<uint32_t>(graph.read<int32_t>(boxes, {i, index}));
        };
        const auto box = canvas.view({field(2), field(3)}, {field(0), field(1)});
        const bool mixes = field(4) != 0;

        DeviceTensor color = colors.view({1, 1}, {i + 1, 0});
        for (int copy = 0; i % 2 == 0 && copy < kCopies; ++copy) {
            color = graph.submit(Task(chiphost::AIV, kCopy).input(color).output(chiphost::like(color))).output(0);
        }

        Task painter(chiphost::AIV, mixes ? kMixIn : kPaint);
        if (mixes) {
            painter.inout(box);
        } else {
            painter.output(box);
        }
        graph.submit(painter.input(color).blocks(kBlocks));
    }
    graph.submit(Task(chiphost::AIV, kCopy).input(canvas).output(picture));
    return 0;
}
