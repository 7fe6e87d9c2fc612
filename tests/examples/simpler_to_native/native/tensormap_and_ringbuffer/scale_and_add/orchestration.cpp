// SPDX-License-Identifier: Apache-2.0
#include <chiphost/device_graph.h>

using chiphost::Task;

enum FuncId : int32_t { kScale = 0, kAdd = 1 };

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), y = args.tensor(1), out = args.tensor(2);
    const auto factor = args.scalar<float>(0);
    const uint32_t rows = x.shape(0), columns = x.shape(1);

    for (uint32_t row = 0; row < rows; ++row) {
        const auto scope = graph.scope();
        const auto x_row = x.view({1, columns}, {row, 0});
        const auto y_row = y.view({1, columns}, {row, 0});
        const auto out_row = out.view({1, columns}, {row, 0});

        Task scale(chiphost::AIV, kScale);
        scale.input(x_row).output(chiphost::like(x_row)).scalar(factor);
        const auto scaled = graph.submit(scale).output(0);

        Task add(chiphost::AIV, kAdd);
        add.input(scaled).input(y_row).output(out_row);
        graph.submit(add);
    }
    return 0;
}
