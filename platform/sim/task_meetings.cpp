// SPDX-License-Identifier: Apache-2.0
#include "task_meetings.h"

#include "chiphost/platform/chip.h"

namespace chiphost::platform {

namespace {

// Calls visit(successor) for the tasks that wait for one; stops when it says true, and returns that.
template <typename Visit>
bool any_successor(const graph::Image& graph, const graph::Task& task, Visit&& visit) {
    const auto* edges = reinterpret_cast<const graph::Edge*>(graph.edges);
    for (uint32_t edge = task.first_edge; edge < graph::closed; edge = edges[edge].next) {
        if (visit(edges[edge].successor)) return true;
    }
    return false;
}

bool have_common_successor(const graph::Image& graph, const graph::Task& one, const graph::Task& other) {
    return any_successor(graph, one, [&](uint32_t successor) {
        return any_successor(graph, other, [&](uint32_t another) { return another == successor; });
    });
}

bool is_core(uint64_t name) {
    return name < cores_max;
}

}  // namespace

bool meet(const graph::Image& graph, const Decision& decision, uint32_t one, uint32_t other) {
    if (is_task(decision, one) && is_task(decision, other)) {
        return have_common_successor(graph, task_of(decision.options[one]), task_of(decision.options[other]));
    }
    if (decision.what != graph::Choice::processor) return true;  // what a core runs is not looked up
    return is_core(decision.options[one]) != is_core(decision.options[other]);
}

}  // namespace chiphost::platform
