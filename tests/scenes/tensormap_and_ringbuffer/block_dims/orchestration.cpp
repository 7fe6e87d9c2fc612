// SPDX-License-Identifier: Apache-2.0
//
// Tasks on AIC, on AIV and on whole clusters, of fewer and of more blocks than there are clusters. Every core of every
// block counts in a line of its own. Each task is submitted twice: the second waits for the first, because it has the
// same lines as inout. Tasks with different lines may run at the same time.
//
// Arguments:
//   tasks     int32 (tasks, 2): kind (0: AIC, 1: AIV, 2: AIC and both AIV of a cluster) and number of blocks
//   lines     float32 (lines, 16): those of the first task, of the second, ...; three for a block of kind 2, else one
//   clusters  int32 (1): how many there are
#include <chiphost/device_graph.h>

using chiphost::require;
using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kOnAic = 0, kOnAiv = 1 };
enum Kind : int32_t { kAic = 0, kAiv = 1, kMix = 2 };

constexpr uint32_t kLine = 16;  // as in the kernel

Task make_task(int32_t kind) {
    if (kind == kAic) return Task(chiphost::AIC, kOnAic);
    if (kind == kAiv) return Task(chiphost::AIV, kOnAiv);
    return Task::mixed(kOnAic, kOnAiv, kOnAiv);
}

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto tasks = args.tensor(0), lines = args.tensor(1), clusters = args.tensor(2);
    require(tasks.dtype() == CH_INT32 && tasks.ndims() == 2 && tasks.shape(1) == 2, "tasks must be int32 (tasks, 2)");
    require(lines.dtype() == CH_FLOAT32 && lines.ndims() == 2 && lines.shape(1) == kLine,
            "lines must be float32 (lines, 16)");
    require(clusters.dtype() == CH_INT32 && clusters.ndims() == 1, "clusters must be int32 (1)");

    graph.write<int32_t>(clusters, {0}, graph.cluster_count());
    for (int pass = 0; pass < 2; ++pass) {
        uint32_t first = 0;
        for (uint32_t i = 0; i < tasks.shape(0); ++i) {
            const auto kind = graph.read<int32_t>(tasks, {i, 0}), blocks = graph.read<int32_t>(tasks, {i, 1});
            require(kind >= kAic && kind <= kMix, "task %u: wanted kind 0 to 2, found %d", i, kind);
            require(blocks > 0, "task %u: wanted 1 block or more, found %d", i, blocks);
            const uint32_t lines_per_block = kind == kMix ? 3 : 1;
            const uint32_t count = static_cast<uint32_t>(blocks) * lines_per_block;
            Task task = make_task(kind);
            task.inout(lines.view({count, kLine}, {first, 0})).scalar(lines_per_block);
            graph.submit(task.blocks(static_cast<uint32_t>(blocks)));
            first += count;
        }
        require(first == lines.shape(0), "lines must have %u rows", first);
    }
    return 0;
}
