// SPDX-License-Identifier: Apache-2.0
//
// f = (a + b + 1) * (a + b + 2) as a diamond of four vector tasks:
//
//                    +-> t1: d = c + 1 -+
//    t0: c = a + b --+                  +-> t3: f = d * e
//                    +-> t2: e = c + 2 -+
//
// c, d and e are made for the tasks that write them. The edges are given one by one. Nothing starts before the scope of
// the tasks ends: here that is the orchestration itself.
//
// Arguments: a, b, f: float32 vectors of one length.
#include <chiphost/device_graph.h>

using chiphost::require;
using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kAdd = 0, kAddScalar = 1, kMultiply = 2 };

bool is_float32_vector(const chiphost::DeviceTensor& tensor) {
    return tensor.dtype() == CH_FLOAT32 && tensor.ndims() == 1;
}

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto a = args.tensor(0), b = args.tensor(1), f = args.tensor(2);
    require(is_float32_vector(a) && is_float32_vector(b) && is_float32_vector(f), "a, b and f must be float32 vectors");
    require(a.elements() == b.elements() && a.elements() == f.elements(), "a, b and f must be of one length");

    const auto vector = chiphost::like(a);
    const auto t0 = graph.submit(Task(chiphost::AIV, kAdd).input(a).input(b).output(vector));
    const auto c = t0.output(0);
    const auto t1 = graph.submit(Task(chiphost::AIV, kAddScalar).input(c).output(vector).scalar(1.0f));
    const auto t2 = graph.submit(Task(chiphost::AIV, kAddScalar).input(c).output(vector).scalar(2.0f));
    const auto d = t1.output(0), e = t2.output(0);
    const auto t3 = graph.submit(Task(chiphost::AIV, kMultiply).input(d).input(e).output(f));

    graph.add_dependency(t0.id(), t1.id());
    graph.add_dependency(t0.id(), t2.id());
    graph.add_dependency(t1.id(), t3.id());
    graph.add_dependency(t2.id(), t3.id());
    return 0;
}
