// SPDX-License-Identifier: Apache-2.0
//
// The graph of graph_plan.h, built on the AICPU. Arguments: the cells; 1 if add_dependency names the edges, else 0:
// edges follow from the cells that tasks touch. In the latter case, word 0 of cell (0, 0) becomes that of the last
// cell, read and written by the orchestration itself, which waits for the tasks that make and use them.
//
// The rings are small: the orchestration has to wait for submitted tasks, which other threads have to start.
#include <chiphost/device_graph.h>

#include "../graph_plan.h"

using namespace chiphost::conformance;
using chiphost::Task;

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto cells = args.tensor(0);
    const bool names_edges = args.scalar<uint64_t>(0) != 0;
    const auto cell = [&](uint32_t row, uint32_t column) { return cells.view({1, 1, cell_words}, {row, column, 0}); };
    chiphost::TaskId before[graph_columns], now[graph_columns];
    for (uint32_t row = 1; row <= graph_rows; ++row) {
        const auto scope = graph.scope();
        for (uint32_t column = 0; column < graph_columns; ++column) {
            const uint32_t number = row * graph_columns + column;
            const bool mixed = number % 5 == 0;
            Task task = mixed ? Task::mixed(graph_aic, graph_aiv, -1)
                              : Task(number % 2 ? chiphost::AIC : chiphost::AIV, number % 2 ? graph_aic : graph_aiv);
            task.input(cell(row - 1, graph_left(column))).input(cell(row - 1, graph_right(column)));
            task.output(cell(row, column)).scalar(uint64_t{number}).scalar(uint64_t{0}).scalar(uint64_t{mixed});
            if (!mixed && number % 3 == 0) task.blocks(2);
            now[column] = graph.submit(task).id();
            if (!names_edges || row == 1) continue;
            graph.add_dependency(before[graph_left(column)], now[column]);
            graph.add_dependency(before[graph_right(column)], now[column]);
        }
        for (uint32_t column = 0; column < graph_columns; ++column) before[column] = now[column];
    }
    if (!names_edges) {
        const auto last = graph.read<uint64_t>(cells, {graph_rows, graph_columns - 1, 0});
        graph.write(cells, {0, 0, 0}, last);
    }
    return 0;
}
