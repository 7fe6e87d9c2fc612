// SPDX-License-Identifier: Apache-2.0
//
//    square: a = x² -+
//                    +-> root_of_sum: out = √(a + b)
//    square: b = y² -+
#include <chiphost/device_graph.h>

using chiphost::Task;

enum FuncId : int32_t { kSquare = 0, kRootOfSum = 1 };  // as in scene.py

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), y = args.tensor(1), out = args.tensor(2);
    chiphost::require(x.elements() == y.elements() && x.elements() == out.elements(), "x, y and out differ in length");

    const auto a = graph.submit(Task(chiphost::AIV, kSquare).input(x).output(chiphost::like(x))).output(0);
    const auto b = graph.submit(Task(chiphost::AIV, kSquare).input(y).output(chiphost::like(y))).output(0);
    graph.submit(Task(chiphost::AIV, kRootOfSum).input(a).input(b).output(out));
    return 0;
}
