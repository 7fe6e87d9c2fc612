// SPDX-License-Identifier: Apache-2.0
//
// The graph of the group `graphs.`, which its kernel, its orchestrations and its test agree on.
//
// A grid of cells. The cell at (row, column) of every row but the first is made of two cells of the row before. So each
// row can start as soon as parts of the one before have ended, and a thread that has nothing to do has to be woken
// again and again. Cells of different tasks share no cache line.
#pragma once

#include <stdint.h>

namespace chiphost::conformance {

constexpr uint32_t graph_columns = 8;
constexpr uint32_t graph_rows = 24;  // rows that are computed, after the first
constexpr uint32_t cell_words = 16;  // words of 8 bytes: two cache lines, one for each block of a task
constexpr uint32_t block_words = cell_words / 2;
constexpr uint32_t graph_tasks = graph_rows * graph_columns;

// Kernels of the callable: one source, built for each kind of core.
constexpr int32_t graph_aic = 0;
constexpr int32_t graph_aiv = 1;

// The kernel's arguments after the tensors `left`, `right` and `out`.
enum GraphScalar : uint32_t {
    graph_number = 3,  // the number of the task
    graph_addresses,   // 1: the tensors are addresses; 0: they are records
    graph_mixed,       // 1: the task is on several cores of a cluster
};

// The cells that a task reads are in these columns of the row before.
constexpr uint32_t graph_left(uint32_t column) {
    return column;
}
constexpr uint32_t graph_right(uint32_t column) {
    return (column + 1) % graph_columns;
}

constexpr uint64_t graph_value(uint64_t left, uint64_t right, uint64_t number, uint32_t word) {
    return 3 * left + 5 * right + 7 * number + word;
}

}  // namespace chiphost::conformance
