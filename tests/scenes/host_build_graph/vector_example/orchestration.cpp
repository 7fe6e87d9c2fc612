// SPDX-License-Identifier: Apache-2.0
//
// f = (a + b + 1) * (a + b + 2) as a diamond of four vector tasks:
//
//                    +-> t1: d = c + 1 -+
//    t0: c = a + b --+                  +-> t3: f = d * e
//                    +-> t2: e = c + 2 -+
//
// Arguments: a, b, f: float32 vectors of one length.
#include <chiphost/host_build_graph.h>

using chiphost::require;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kAdd = 0, kAddScalar = 1, kMultiply = 2 };

bool is_float32_vector(const chiphost::Tensor& tensor) {
    return tensor.dtype() == CH_FLOAT32 && tensor.ndims() == 1;
}

}  // namespace

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const chiphost::Tensor a = args.tensor(0), b = args.tensor(1), f = args.tensor(2);
    require(is_float32_vector(a) && is_float32_vector(b) && is_float32_vector(f), "a, b and f must be float32 vectors");
    require(a.elements() == b.elements() && a.elements() == f.elements(), "a, b and f must be of one length");
    const uint64_t elements = a.elements(), bytes = a.bytes();

    const auto dev_a = graph.copy_in(a), dev_b = graph.copy_in(b), dev_f = graph.copy_out(f);
    const auto c = graph.device_malloc(bytes), d = graph.device_malloc(bytes), e = graph.device_malloc(bytes);

    const auto t0 = graph.add_task(chiphost::AIV, kAdd, {dev_a, dev_b, c, elements});
    const auto t1 = graph.add_task(chiphost::AIV, kAddScalar, {c, 1.0f, d, elements});
    const auto t2 = graph.add_task(chiphost::AIV, kAddScalar, {c, 2.0f, e, elements});
    const auto t3 = graph.add_task(chiphost::AIV, kMultiply, {d, e, dev_f, elements});

    graph.add_successor(t0, t1);
    graph.add_successor(t0, t2);
    graph.add_successor(t1, t3);
    graph.add_successor(t2, t3);
    return 0;
}
