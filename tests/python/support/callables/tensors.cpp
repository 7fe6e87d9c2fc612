// SPDX-License-Identifier: Apache-2.0
//
// One orchestration for every runtime: does a deed with the tensors x and y, which its scalar names (test_tensors.py).
// The differences between the runtimes are at the beginning.
#include <chiphost/float16.h>

#ifdef CHIPHOST_RUNTIME_HOST_BUILD_GRAPH

#include <chiphost/host_build_graph.h>

using namespace chiphost;

#define ORCHESTRATION CHIPHOST_HOST_ORCHESTRATION
using Graph = HostGraph;

// Does y = x, after all tasks before it.
static void copy(Graph& graph, const DeviceTensor& x, const DeviceTensor& y) {
    const auto task = graph.add_task(AIV, 0, {x, y});
    if (task > 0) graph.add_successor(task - 1, task);
}
static void copy_through_a_new_one(Graph& graph, const DeviceTensor& x, const DeviceTensor& y) {
    const auto between = graph.make(like(x));
    copy(graph, x, between);
    copy(graph, between, y);
}
static void copy_new(Graph& graph, const TensorSpec& spec, const DeviceTensor& y) {
    copy(graph, graph.make(spec), y);
}
static void show(Graph& graph, const DeviceTensor& y, float16 half, bfloat16 brain) {
    uint16_t bits[2];
    memcpy(&bits[0], &half, 2);
    memcpy(&bits[1], &brain, 2);
    graph.add_task(AIV, 1, {y, bits[0], bits[1]});
}

#else

#include <chiphost/device_graph.h>

using namespace chiphost;

#define ORCHESTRATION CHIPHOST_DEVICE_ORCHESTRATION
using Graph = DeviceGraph;

static TaskId last;

static void submit(Graph& graph, Task task) {
    if (last) task.after(last);
    last = graph.submit(task).id();
}
static void copy(Graph& graph, const DeviceTensor& x, const DeviceTensor& y) {
    submit(graph, Task(AIV, 0).input(x).output(y));
}
static void copy_through_a_new_one(Graph& graph, const DeviceTensor& x, const DeviceTensor& y) {
    const auto between = graph.submit(Task(AIV, 0).input(x).output(like(x)));
    last = between.id();
    copy(graph, between.output(0), y);
}
static void copy_new(Graph& graph, const TensorSpec& spec, const DeviceTensor& y) {
    // The task that makes it copies nothing to nowhere.
    const auto nothing = y.view({0, 0}, {0, 0});
    const auto made = graph.submit(Task(AIV, 0).input(nothing).output(nothing).output(spec));
    last = made.id();
    copy(graph, made.output(0), y);
}
static void show(Graph& graph, const DeviceTensor& y, float16 half, bfloat16 brain) {
    submit(graph, Task(AIV, 1).output(y).scalar(half).scalar(brain));
}

#endif

static void run(Graph& graph, const DeviceTensor& x, const DeviceTensor& y, int32_t what) {
    ch_device_tensor raw = x.raw();
    switch (what) {
        case 0:
            return copy_through_a_new_one(graph, x, y);
        case 1:
            return copy(graph, x.transpose(0, 1), y);
        case 2: {  // the four quarters, each by a task of its own, diagonally exchanged
            const uint32_t rows = x.shape(0) / 2, columns = x.shape(1) / 2;
            for (uint32_t i = 0; i < 4; ++i) {
                const uint32_t row = i / 2 * rows, column = i % 2 * columns;
                copy(graph, x.view({rows, columns}, {row, column}),
                     y.view({rows, columns}, {rows - row, columns - column}));
            }
            return;
        }
        case 3:
            return copy(graph, x.reshape({x.shape(0) * x.shape(1)}), y);
        case 4: {  // views without elements, at all edges
            const uint32_t rows = x.shape(0), columns = x.shape(1);
            copy(graph, x.view({rows, 0}, {0, columns}).reshape({0}), y.view({0, columns}, {rows, 0}));
            copy(graph, x.view({0, 0}, {rows, columns}).transpose(0, 1).reshape({0, 7}),
                 y.view({0, 0}, {rows, columns}));
            copy(graph, x.view({0, columns}, {1, 0}).reshape({0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}),
                 y.view({0, 1}, {0, 0}).view({0, 0}, {0, 1}));
            return copy(graph, x, y);
        }
        case 5:  // as many elements as there are when the product wraps
            return copy(graph, x.view({0, 0}, {0, 0}).reshape({65536, 65536, 65536, 65536}), y);
        case 6:
            return copy(graph, DeviceTensor(), y);
        case 7:
            return copy(graph, DeviceTensor().reshape({1}), y);
        case 8:
            return copy(graph, x, y.view({1, 1}, {0, 0}).reshape({}).made() ? DeviceTensor() : y);
        case 9:
            raw.buffer = raw.address = 4096;
            return copy(graph, DeviceTensor(raw), y);
        case 10:
            raw.buffer += 8;
            raw.address += 8;
            return copy(graph, DeviceTensor(raw), y);
        case 11:
            raw.buffer_bytes += 4096;
            return copy(graph, DeviceTensor(raw), y);
        case 12:
            raw.number = 1;  // wrong, but only a hint
            return copy(graph, DeviceTensor(raw), y);
        case 13:
            raw.buffer = raw.address = UINT64_MAX - 15;
            return copy(graph, DeviceTensor(raw), y);
        case 14:
            return show(graph, y, 1.5f, 2.5f);
        case 15:
            return copy_new(graph, TensorSpec(CH_FLOAT32, {2, 8}).initial(1.25f), y);
        case 16:
            return copy(graph, x, x.reshape({x.shape(1), x.shape(0)}));
        case 17:
            return copy_through_a_new_one(graph, x.view({0, 0}, {0, 0}), y.view({0, 0}, {0, 0}));
        case 18:
            return copy_new(graph, TensorSpec(CH_FLOAT32, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, 0}),
                            y.view({0, 1}, {0, 0}));
        case 19:
            return copy_new(graph, TensorSpec(CH_FLOAT32, {UINT32_MAX, UINT32_MAX, UINT32_MAX}), y);
#ifndef CHIPHOST_RUNTIME_HOST_BUILD_GRAPH
        case 20:  // the second half of x as a matrix of its own, then as words, then a part of it
            copy(graph, graph.tensor_at(raw.address + 32, TensorSpec(CH_FLOAT32, {1, 8})), y.view({1, 8}, {0, 0}));
            return copy(graph, graph.tensor_at(raw.address, TensorSpec(CH_FLOAT32, {4, 2})),
                        graph.tensor_at(y.raw().address + 32, TensorSpec(CH_FLOAT32, {4, 2})));
        case 21:
            return copy(graph, graph.tensor_at(raw.address + 4, TensorSpec(CH_FLOAT32, {2, 8})), y);
        case 22:
            return copy(graph, x, graph.tensor_at(raw.address, TensorSpec(CH_FLOAT32, {2, 8})));
        case 23:
            return copy(graph, graph.tensor_at(UINT64_MAX - 3, TensorSpec(CH_FLOAT32, {2, 8})), y);
#endif
        default:
            require(false, "there is no %d", what);
    }
}

ORCHESTRATION(build_graph, graph, args) {
#ifdef CHIPHOST_RUNTIME_HOST_BUILD_GRAPH
    const DeviceTensor x = graph.input(args.tensor(0)), y = graph.output(args.tensor(1));
#else
    const DeviceTensor x = args.tensor(0), y = args.tensor(1);
    last = TaskId();
#endif
    run(graph, x, y, args.scalar<int32_t>(0));
    return 0;
}
