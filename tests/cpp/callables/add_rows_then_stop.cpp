// SPDX-License-Identifier: Apache-2.0
//
// Another orchestration for the AICPU than device_program_from_table, with only the kernels in common: submits tasks
// that add up numbers, and stops half-way if it is told to.
//
// Tensors: int32 (1), the deed: 0 all is well, 1 ends the run, 2 throws, 3 returns an error, 4 leaves a scope open and
// throws; data, int64 (8).
#include <chiphost/device_graph.h>

#include <stdexcept>
#include <string>

namespace {

// Statics of the library, one of them on the heap: they must not be used any more once it is gone.
std::string words = "half-way, with words that are longer than a string keeps in itself";

}  // namespace

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto data = args.tensor(1);
    const auto what = *reinterpret_cast<const int32_t*>(args.tensor(0).address());
    graph.scope_begin(CH_SCOPE_MANUAL);
    chiphost::TaskId before;
    for (uint32_t i = 0; i < 6; ++i) {
        chiphost::Task task(i % 2 ? chiphost::AIV : chiphost::AIC, i % 2);
        const auto made = graph.submit(task.input(data.view({4}, {0})).inout(data.view({4}, {4})).scalar(i));
        if (before) graph.add_dependency(before, made.id());
        before = made.id();
    }
    if (what == 4) throw std::runtime_error(words);
    graph.scope_end();
    if (what == 1) graph.fail(77, words.c_str());
    if (what == 2) throw std::runtime_error(words);
    return what == 3 ? 88 : 0;
}
