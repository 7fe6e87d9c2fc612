// SPDX-License-Identifier: Apache-2.0
//
// F = exp(sqrt(ln A) @ W1 + sqrt(ln A) @ W2) on 128x128 matrices, a diamond over both core types:
//
//                               +-> t1, AIC: c1 = b @ w1 -+
//    t0, AIV: b = sqrt(ln a) ---+                         +-> t3, AIV: f = exp(c1 + c2)
//                               +-> t2, AIC: c2 = b @ w2 -+
//
// Arguments: a, w1, w2 float16 (128, 128); f float32 (128, 128). b is float16 too, c1 and c2 are float32.
#include <chiphost/host_build_graph.h>

using chiphost::require;

namespace {

// The numbers that scene.py gives the kernels.
enum FuncId : int32_t { kSqrtLog = 0, kMatmul = 1, kAddExp = 2 };

constexpr uint32_t kSize = 128;  // as in matmul.cpp

bool is_matrix(const chiphost::Tensor& tensor, ch_dtype dtype) {
    return tensor.dtype() == dtype && tensor.ndims() == 2 && tensor.shape(0) == kSize && tensor.shape(1) == kSize;
}

}  // namespace

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const chiphost::Tensor a = args.tensor(0), w1 = args.tensor(1), w2 = args.tensor(2), f = args.tensor(3);
    require(is_matrix(a, CH_FLOAT16) && is_matrix(w1, CH_FLOAT16) && is_matrix(w2, CH_FLOAT16),
            "a, w1 and w2 must be float16 of shape (128, 128)");
    require(is_matrix(f, CH_FLOAT32), "f must be float32 of shape (128, 128)");
    const uint64_t elements = a.elements();

    const auto dev_a = graph.copy_in(a), dev_w1 = graph.copy_in(w1), dev_w2 = graph.copy_in(w2);
    const auto dev_f = graph.copy_out(f);
    const auto b = graph.device_malloc(a.bytes());
    const auto c1 = graph.device_malloc(f.bytes()), c2 = graph.device_malloc(f.bytes());

    const auto t0 = graph.add_task(chiphost::AIV, kSqrtLog, {dev_a, b, elements});
    const auto t1 = graph.add_task(chiphost::AIC, kMatmul, {b, dev_w1, c1});
    const auto t2 = graph.add_task(chiphost::AIC, kMatmul, {b, dev_w2, c2});
    const auto t3 = graph.add_task(chiphost::AIV, kAddExp, {c1, c2, dev_f, elements});

    graph.add_successor(t0, t1);
    graph.add_successor(t0, t2);
    graph.add_successor(t1, t3);
    graph.add_successor(t2, t3);
    return 0;
}
