// SPDX-License-Identifier: Apache-2.0
//
// An orchestration that reads and writes single elements while tasks run. It waits for the tasks that write an element
// before it reads it, and also for those that read it before it writes it. What it reads goes to `check`:
//
//    0  an element of an argument that no task has written
//    1  an element of c = a + b: waits for the task
//    2  another one of c
//    3  a tensor that was made with an initial value of 77 and not written
//    4  the same, after a task that could have written it
//    5  the same, after the orchestration has set it to 42
//    6  e = d + a, where the orchestration has set an element of d
//    7  an element of c that the orchestration has set, after a task that reads c
//    8  an element of b that the orchestration has set, after a task that reads b
//    9  an element of c seen as a matrix, through a part of the transposed matrix, plus check 5
//
// `before` is c + b as it was before checks 7 and 8, `after` is c + b afterwards.
//
// Arguments, float32 vectors:
//   a, b           of one length, a multiple of 128, at least 256; b is read and written
//   before, after  of the same length
//   check          of 10 elements
#include <chiphost/device_graph.h>

using chiphost::DeviceTensor;
using chiphost::require;
using chiphost::Task;
using chiphost::TensorSpec;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kAdd = 0, kLeave = 1 };

constexpr uint32_t kChecks = 10, kRow = 128;

bool is_float32_vector(const DeviceTensor& tensor) {
    return tensor.dtype() == CH_FLOAT32 && tensor.ndims() == 1;
}

Task add(const DeviceTensor& x, const DeviceTensor& y) {
    return Task(chiphost::AIV, kAdd).input(x).input(y);
}

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto a = args.tensor(0), b = args.tensor(1), before = args.tensor(2), after = args.tensor(3);
    const auto check = args.tensor(4);
    for (uint32_t i = 0; i < 5; ++i)
        require(is_float32_vector(args.tensor(i)), "argument %u must be a float32 vector", i);
    const auto elements = a.shape(0);
    require(elements % kRow == 0 && elements >= 2 * kRow, "a must have a multiple of %u elements, at least 2", kRow);
    require(b.shape(0) == elements && before.shape(0) == elements && after.shape(0) == elements,
            "a, b, before and after must be of one length");
    require(check.shape(0) == kChecks, "check must have %u elements", kChecks);
    const auto report = [&](uint32_t number, float value) { graph.write(check, {number}, value); };
    const auto vector = chiphost::like(a);

    report(0, graph.read<float>(a, {3}));

    const auto c = graph.submit(add(a, b).output(vector)).output(0);
    report(1, graph.read<float>(c, {0}));
    report(2, graph.read<float>(c, {100}));

    const auto made = graph.submit(Task(chiphost::AIV, kLeave).output(TensorSpec(CH_FLOAT32, {7}).initial(77.0f)));
    const auto constant = made.output(0);
    report(3, graph.read<float>(constant, {6}));

    graph.submit(Task(chiphost::AIV, kLeave).inout(constant));
    report(4, graph.read<float>(constant, {6}));

    graph.write(constant, {6}, 42.0f);
    const auto forty_two = graph.read<float>(constant, {6});
    report(5, forty_two);

    const auto d = graph.submit(Task(chiphost::AIV, kLeave).output(chiphost::like(a).initial(0.0f))).output(0);
    graph.write(d, {elements - 1}, 10.0f);
    const auto e = graph.submit(add(d, a).output(vector)).output(0);
    report(6, graph.read<float>(e, {elements - 1}));

    graph.submit(add(c, b).output(before));
    graph.write(c, {elements - 2}, 88.0f);
    report(7, graph.read<float>(c, {elements - 2}));
    graph.write(b, {5}, 55.0f);
    report(8, graph.read<float>(b, {5}));
    graph.submit(add(c, b).output(after));

    // Row 1, column 9 of c as a matrix.
    const auto transposed = c.reshape({elements / kRow, kRow}).transpose(0, 1);
    const auto part = transposed.view({kRow - 4, 1}, {4, 1});
    report(9, graph.read<float>(part, {5, 0}) + forty_two);
    return 0;
}
