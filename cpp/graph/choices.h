// SPDX-License-Identifier: Apache-2.0
//
// The choices that a launch leaves open, and the table through which the AICPU program has them made for it.
//
// A graph allows many orders, and a chip takes one of them. A simulated chip can take any: whoever launches gives an
// oracle, which is asked wherever two things may happen next. Real chips have none.
#pragma once

#include <stdint.h>

namespace chiphost::graph {

// What is chosen, and what the names of the options mean.
enum class Choice : uint32_t {
    processor = 0,        // who takes the next step: numbers of the engine
    task = 1,             // which ready task is started: device addresses of graph::Task, or `later`
    core = 2,             // where: numbers of cores in the launch; of tasks for several cores, that of the AIC
    acknowledgement = 3,  // what a core does that has acknowledged a dispatch: `go_on` or `pause`
    orchestration = 4,    // what an orchestration does that could go on: `go_on` or `pause`
    visibility = 5        // when a write is seen by others. Nobody asks: the memory of the simulated chip is coherent
};

constexpr uint64_t go_on = 0;
constexpr uint64_t pause = 1;
constexpr uint64_t later = UINT64_MAX;  // no task is started for now, although one could be

// Most options that the AICPU program offers at once. Of more ready tasks it offers the first.
constexpr uint32_t options_max = 1024;

// The table. It is in memory of the host, where the AICPU program of a simulated chip can call it.
struct Choices {
    void* oracle;
    // Returns the index of one of `count` options, which is at least 1. The first option is what would be done without
    // an oracle. Called by one thread at a time.
    uint32_t (*choose)(void* oracle, Choice what, const uint64_t* options, uint32_t count);
};

}  // namespace chiphost::graph
