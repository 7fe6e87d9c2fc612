// SPDX-License-Identifier: Apache-2.0
//
// f = (a + b + 1) * (a + b + 2) + (a + b) with five vector tasks:
//
//                    +-> t1: d = c + 1 -+
//                    |                  +-> t3: g = d * e -+
//    t0: c = a + b --+-> t2: e = c + 2 -+                  +-> t4: f = g + c
//                    |                                     |
//                    +-------------------------------------+
//
// No edge is given: a task waits for the tasks that write what it reads. d, e and g belong to an inner scope, so that
// their memory can be used again as soon as the scope has ended and t1 to t4 are done. c, of the scope around it, can
// be used in it.
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
    const auto c = graph.submit(Task(chiphost::AIV, kAdd).input(a).input(b).output(vector)).output(0);
    {
        const auto scope = graph.scope();
        const auto t1 = graph.submit(Task(chiphost::AIV, kAddScalar).input(c).output(vector).scalar(1.0f));
        const auto t2 = graph.submit(Task(chiphost::AIV, kAddScalar).input(c).output(vector).scalar(2.0f));
        const auto d = t1.output(0), e = t2.output(0);
        const auto g = graph.submit(Task(chiphost::AIV, kMultiply).input(d).input(e).output(vector)).output(0);
        graph.submit(Task(chiphost::AIV, kAdd).input(g).input(c).output(f));
    }
    return 0;
}
