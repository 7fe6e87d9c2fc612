// SPDX-License-Identifier: Apache-2.0
//
// Which options of a decision are tasks, and which of them meet.
#pragma once

#include <stdint.h>

#include "graph/task.h"
#include "oracle.h"

namespace chiphost::platform {

// True if the option is the device address of a graph::Task.
inline bool is_task(const Decision& decision, uint32_t option) {
    return decision.what == graph::Choice::task && (decision.options[option] >> 63) == 0;
}

inline const graph::Task& task_of(uint64_t name) {
    return *reinterpret_cast<const graph::Task*>(name);
}

// The name of an option that is the same in every process.
inline uint64_t name_of(const Decision& decision, uint32_t option) {
    const uint64_t name = decision.options[option];
    return is_task(decision, option) ? static_cast<uint64_t>(task_of(name).id) + 1 : name;
}

// True if the order of two options matters to the scheduler or to a processor, whatever the kernels do with memory: a
// task waits for both, or they are steps of a core and of an AICPU thread.
//
// graph: that the tasks belong to.
bool meet(const graph::Image& graph, const Decision& decision, uint32_t one, uint32_t other);

}  // namespace chiphost::platform
