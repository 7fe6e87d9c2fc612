// SPDX-License-Identifier: Apache-2.0
//
// Every row of a matrix goes through a chain of updates v = 3 v + addends[row][step], whose order matters. In the end
// the rows are added up.
//
//    row 0: update -> update -> update -> ... --+
//    row 1: update -> update -> update -> ... --+-> total
//    row 2: update -> update -> update -> ... --+
//
// The tasks of four steps share a scope: they start when it ends, and most edges into them come from tasks of their own
// scope, the others from tasks of an earlier one, which may be waiting, running or gone by then. Every other update
// gets its addend late, through copies: the next one could start before it, so that a missing edge shows.
//
// hold: the first update of each row belongs to the outermost scope instead and cannot start before the orchestration
// returns. All other updates have to wait for it, although their scopes have ended.
//
// Arguments: x: uint32 (rows, columns), read and written; addends: uint32 (rows, steps); total: uint32 (columns);
// hold: int64.
#include <chiphost/device_graph.h>

#include <vector>

using chiphost::DeviceGraph;
using chiphost::DeviceTensor;
using chiphost::require;
using chiphost::Task;
using chiphost::TaskId;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kCopy = 0, kUpdate = 1, kAddRows = 2 };

constexpr uint32_t kScopeSteps = 4;
constexpr int kCopies = 2;  // of an addend that comes late

TaskId update(DeviceGraph& graph, const DeviceTensor& row, DeviceTensor addend, bool late, TaskId previous) {
    TaskId copied;
    for (int copy = 0; late && copy < kCopies; ++copy) {
        const auto task = graph.submit(Task(chiphost::AIV, kCopy).input(addend).output(chiphost::like(addend)));
        if (copied) graph.add_dependency(copied, task.id());
        copied = task.id();
        addend = task.output(0);
    }
    const auto task = graph.submit(Task(chiphost::AIV, kUpdate).inout(row).input(addend));
    if (copied) graph.add_dependency(copied, task.id());
    if (previous) graph.add_dependency(previous, task.id());
    return task.id();
}

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), addends = args.tensor(1), total = args.tensor(2);
    const bool hold = args.scalar<int64_t>(0) != 0;
    require(x.dtype() == CH_UINT32 && x.ndims() == 2, "x must be uint32 (rows, columns)");
    const uint32_t rows = x.shape(0), columns = x.shape(1);
    require(addends.dtype() == CH_UINT32 && addends.ndims() == 2 && addends.shape(0) == rows,
            "addends must be uint32 (rows, steps)");
    require(total.dtype() == CH_UINT32 && total.ndims() == 1 && total.shape(0) == columns,
            "total must be uint32 with an element for each column");
    const uint32_t steps = addends.shape(1);

    std::vector<TaskId> last(rows);  // the last update of each row so far
    const auto add_step = [&](uint32_t step) {
        for (uint32_t row = 0; row < rows; ++row) {
            const auto addend = addends.view({1, 1}, {row, step});
            last[row] = update(graph, x.view({1, columns}, {row, 0}), addend, step % 2 == 0, last[row]);
        }
    };
    uint32_t step = 0;
    if (hold && steps > 0) add_step(step++);
    while (step < steps) {
        const auto scope = graph.scope();
        for (uint32_t i = 0; i < kScopeSteps && step < steps; ++i) add_step(step++);
    }

    const auto sum = graph.submit(Task(chiphost::AIV, kAddRows).input(x).output(total));
    for (const TaskId task : last) {
        if (task) graph.add_dependency(task, sum.id());
    }
    return 0;
}
