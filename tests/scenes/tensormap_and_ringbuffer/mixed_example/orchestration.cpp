// SPDX-License-Identifier: Apache-2.0
//
// Every combination of cores that a task may use, on matrices of 128x128. For each slice s of the outputs:
//
//    AIC + AIV0 + AIV1   c[s] = a @ b     f[s] = d + e     i[s] = g * h (by element)
//    AIC                 j[s] = a @ b
//    AIV                 k[s] = d + e
//    AIV0 + AIV1         l[s] = d + e     m[s] = g * h
//    AIC + AIV0          n[s] = a @ b     o[s] = d + e
//
// A task that uses several cores takes them from one cluster and runs on all of them at once. No task waits for
// another: they only read inputs, and their outputs are different views.
//
// Arguments, float32: a, b, c, ... o in the order of the alphabet; inputs a, b, d, e, g, h (128, 128), outputs c, f, i
// to o (slices, 128, 128).
#include <chiphost/device_graph.h>

using chiphost::DeviceTensor;
using chiphost::require;
using chiphost::Task;

namespace {

// The numbers that scene.py gives the kernels. The number at the end says at which argument the kernel's own begin.
enum FuncId : int32_t { kMatmul = 0, kAdd3 = 1, kMultiply6 = 2, kAdd0 = 3, kMultiply3 = 4 };

constexpr int32_t kNone = -1;    // this core is not used
constexpr uint32_t kSize = 128;  // as in the kernels
constexpr char kInputs[] = "abdegh", kOutputs[] = "cfijklmno";

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto tensor = [&](char name) { return args.tensor(name - 'a'); };
    const uint32_t slices = tensor('c').shape(0);
    for (const char* name = kInputs; *name; ++name) {
        const auto t = tensor(*name);
        require(t.dtype() == CH_FLOAT32 && t.ndims() == 2 && t.shape(0) == kSize && t.shape(1) == kSize,
                "%c must be float32 (128, 128)", *name);
    }
    for (const char* name = kOutputs; *name; ++name) {
        const auto t = tensor(*name);
        require(t.dtype() == CH_FLOAT32 && t.ndims() == 3 && t.shape(1) == kSize && t.shape(2) == kSize,
                "%c must be float32 (slices, 128, 128)", *name);
        require(t.shape(0) == slices, "%c must have as many slices as c", *name);
    }

    const auto a = tensor('a'), b = tensor('b'), d = tensor('d'), e = tensor('e'), g = tensor('g'), h = tensor('h');
    for (uint32_t s = 0; s < slices; ++s) {
        const auto slice = [&](char name) { return tensor(name).view({1, kSize, kSize}, {s, 0, 0}); };
        const auto scope = graph.scope();

        Task three = Task::mixed(kMatmul, kAdd3, kMultiply6);
        three.input(a).input(b).output(slice('c'));
        three.input(d).input(e).output(slice('f'));
        three.input(g).input(h).output(slice('i'));
        graph.submit(three);

        graph.submit(Task(chiphost::AIC, kMatmul).input(a).input(b).output(slice('j')));

        graph.submit(Task(chiphost::AIV, kAdd0).input(d).input(e).output(slice('k')));

        Task two_vectors = Task::mixed(kNone, kAdd0, kMultiply3);
        two_vectors.input(d).input(e).output(slice('l'));
        two_vectors.input(g).input(h).output(slice('m'));
        graph.submit(two_vectors);

        Task matrix_and_vector = Task::mixed(kMatmul, kAdd3, kNone);
        matrix_and_vector.input(a).input(b).output(slice('n'));
        matrix_and_vector.input(d).input(e).output(slice('o'));
        graph.submit(matrix_and_vector);
    }
    return 0;
}
