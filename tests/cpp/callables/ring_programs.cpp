// SPDX-License-Identifier: Apache-2.0
//
// Small programs for the rings, by number.
#include <chiphost/device_graph.h>

#ifdef THROWS_WHEN_LOADED
#include "throws_when_loaded.h"
#endif

using namespace chiphost;

// Kernel 0 does nothing, 1 writes its scalar into its tensor, 2 copies its first tensor into its second.
CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto data = args.tensor(0);
    const auto make = [&](uint32_t kib) { graph.submit(Task(AIV, 0).output(TensorSpec(CH_UINT8, {kib * 1024}))); };
    switch (args.scalar<int64_t>(0)) {
        case 0:  // two scopes that fit the ring one after the other
        {
            const auto scope = graph.scope();
            make(6);
        }
            {
                const auto scope = graph.scope();
                make(5);
                make(9);
            }
            return 0;
        case 1: {  // more than the ring has
            const auto scope = graph.scope();
            make(8);
            make(9);
            return 0;
        }
        case 2:  // a task after eight short ones
            for (uint32_t i = 0; i < 8; ++i) {
                graph.submit(Task(AIV, 1).output(data.view({1}, {i})).scalar(int64_t{i}));
            }
            graph.submit(Task(AIV, 0).inout(data));
            return 0;
        case 3:
        case 4: {  // a new tensor that a kernel writes, or no task
            Task task(AIV, args.scalar<int64_t>(0) == 3 ? 1 : 0);
            task.output(TensorSpec(CH_INT64, {8})).scalar(int64_t{42});
            graph.submit(Task(AIV, 2).input(graph.submit(task).output(0)).output(data));
            return 0;
        }
        case 5:  // never returns, but makes calls
            for (;;) graph.cluster_count();
        case 6:
            for (;;) const auto scope = graph.scope();
        case 10: {  // an element of a turned table, whose writer is far from the first to be ready
            const auto turned = data.view({4}, {0}).reshape({2, 2}).transpose(0, 1);
            for (int64_t i = 1; i <= 20; ++i) graph.submit(Task(AIV, 1).inout(data.view({1}, {2})).scalar(i));
            graph.submit(Task(AIV, 1).output(data.view({1}, {1})).scalar(int64_t{77}));
            graph.write<int64_t>(data, {7}, graph.read<int64_t>(turned, {0, 1}));
            return 0;
        }
        case 11: {  // an element that two tasks read, the first of which is far from being ready
            for (int64_t i = 1; i <= 20; ++i) graph.submit(Task(AIV, 1).inout(data.view({1}, {2})).scalar(i));
            graph.submit(Task(AIV, 2).input(data.view({1}, {0})).output(data.view({1}, {2})));
            graph.submit(Task(AIV, 2).input(data.view({1}, {0})).output(data.view({1}, {3})));
            graph.write<int64_t>(data, {0}, int64_t{99});
            return 0;
        }
        case 8:
            graph.submit(Task::mixed(-1, 0, 0));
            return 0;
        case 9:  // submits something that is no task, and does so again
            try {
                graph.submit(Task(AIV, -1));
            } catch (...) {
            }
            [[fallthrough]];
        case 7:  // never returns, and drops exceptions of its calls
            for (;;) {
                try {
                    const auto scope = graph.scope();
                    graph.submit(Task(AIV, 0));
                } catch (...) {
                }
            }
    }
    return 1;
}
