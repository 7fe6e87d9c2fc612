// SPDX-License-Identifier: Apache-2.0
//
// MIX tasks of several blocks, more of them than there are clusters. Each of a block's three kernels writes the block's
// number to a line of its own.
//
// chained: each task has the whole output as inout, so that it waits for the one before it. Otherwise each task has
// only its own lines, and the blocks of all tasks may run at the same time.
//
// Arguments:
//   block_nums  int32 (tasks): how many blocks each task has
//   output      float32 (3 * sum of block_nums, 16): the lines of a block are those of AIC, AIV0 and AIV1
//   chained     bool
#include <chiphost/device_graph.h>

using chiphost::require;
using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kOnAic = 0, kOnAiv = 1 };

constexpr uint32_t kLine = 16, kCores = 3;  // as in the kernel

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto block_nums = args.tensor(0), output = args.tensor(1);
    const bool chained = args.scalar<int64_t>(0) != 0;
    require(block_nums.dtype() == CH_INT32 && block_nums.ndims() == 1, "block_nums must be int32 (tasks)");
    require(output.dtype() == CH_FLOAT32 && output.ndims() == 2 && output.shape(1) == kLine,
            "output must be float32 (lines, 16)");

    uint32_t line = 0;
    for (uint32_t i = 0; i < block_nums.shape(0); ++i) {
        const auto blocks = graph.read<int32_t>(block_nums, {i});
        require(blocks > 0, "task %u: wanted 1 block or more, found %d", i, blocks);
        const uint32_t lines = static_cast<uint32_t>(blocks) * kCores;

        Task task = Task::mixed(kOnAic, kOnAiv, kOnAiv);
        task.blocks(static_cast<uint32_t>(blocks));
        if (chained) {
            task.inout(output).scalar(line);
        } else {
            task.output(output.view({lines, kLine}, {line, 0})).scalar(uint32_t{0});
        }
        graph.submit(task);
        line += lines;
    }
    require(line == output.shape(0), "output must have three lines for each block, %u", line);
    return 0;
}
