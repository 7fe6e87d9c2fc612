// SPDX-License-Identifier: Apache-2.0
//
// A chain that is much longer than the rings: hundreds of tasks in a window of 8, hundreds of buffers in 16 KiB. Step
// s:
//
//    t = x * (2 s + 3)     u = t + (s + 1)     x = 2 u - t        modulo 2^32
//
// t and u are made anew in each step. All tasks depend on the ones before them, so the orchestration is far ahead of
// them and has to wait for room at almost every task. It gets room because each step has a scope, which ends with the
// step.
//
// nested: the three tasks of a step are in scopes of different depth, hence in different rings.
//
// Arguments: x: a uint32 vector, read and written; steps, nested: int64.
#include <chiphost/device_graph.h>

using chiphost::DeviceGraph;
using chiphost::DeviceTensor;
using chiphost::require;
using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kMultiply = 0, kAddScalar = 1, kCombine = 2 };

DeviceTensor multiply(DeviceGraph& graph, const DeviceTensor& x, uint32_t step) {
    return graph.submit(Task(chiphost::AIV, kMultiply).input(x).output(chiphost::like(x)).scalar(2 * step + 3))
        .output(0);
}

DeviceTensor add(DeviceGraph& graph, const DeviceTensor& t, uint32_t step) {
    return graph.submit(Task(chiphost::AIV, kAddScalar).input(t).output(chiphost::like(t)).scalar(step + 1)).output(0);
}

void combine(DeviceGraph& graph, const DeviceTensor& t, const DeviceTensor& u, const DeviceTensor& x) {
    graph.submit(Task(chiphost::AIV, kCombine).input(t).input(u).output(x));
}

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0);
    const auto steps = args.scalar<int64_t>(0);
    const bool nested = args.scalar<int64_t>(1) != 0;
    require(x.dtype() == CH_UINT32 && x.ndims() == 1, "x must be a uint32 vector");

    for (uint32_t step = 0; step < steps; ++step) {
        const auto scope = graph.scope();
        const auto t = multiply(graph, x, step);
        if (nested) {
            const auto middle = graph.scope();
            const auto u = add(graph, t, step);
            const auto inner = graph.scope();
            combine(graph, t, u, x);
        } else {
            const auto u = add(graph, t, step);
            combine(graph, t, u, x);
        }
    }
    return 0;
}
