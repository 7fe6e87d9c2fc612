// SPDX-License-Identifier: Apache-2.0
//
// The graph of graph_plan.h, built on the host. Argument: the cells.
#include <chiphost/host_build_graph.h>

#include "../graph_plan.h"

using namespace chiphost::conformance;

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto cells = graph.copy_in_out(args.tensor(0));
    const auto cell = [&](uint32_t row, uint32_t column) {
        return cells.element<uint64_t>((uint64_t{row} * graph_columns + column) * cell_words);
    };
    chiphost::HostGraph::TaskId before[graph_columns] = {}, now[graph_columns] = {};
    for (uint32_t row = 1; row <= graph_rows; ++row) {
        for (uint32_t column = 0; column < graph_columns; ++column) {
            const bool on_aic = (row + column) % 2 == 0;
            const uint64_t number = uint64_t{row} * graph_columns + column;
            now[column] = graph.add_task(on_aic ? chiphost::AIC : chiphost::AIV, on_aic ? graph_aic : graph_aiv,
                                         {cell(row - 1, graph_left(column)), cell(row - 1, graph_right(column)),
                                          cell(row, column), number, uint64_t{1}, uint64_t{0}});
            if (row == 1) continue;
            graph.add_successor(before[graph_left(column)], now[column]);
            graph.add_successor(before[graph_right(column)], now[column]);
        }
        for (uint32_t column = 0; column < graph_columns; ++column) before[column] = now[column];
    }
    return 0;
}
