// SPDX-License-Identifier: Apache-2.0
#include "graph_calls.h"

#include "orchestrator.h"

namespace chiphost::orchestrator {

namespace {

Orchestrator& at(ch_device_graph* graph) {
    return *static_cast<Orchestrator*>(graph);
}

// The same, with the place of the call in the orchestration.
Orchestrator& at(ch_device_graph* graph, const void* code) {
    at(graph).called_from(code);
    return at(graph);
}

// In the table a failure is a negative number.
int32_t negated(Status status) {
    return -status.code();
}

}  // namespace

const ch_device_graph_ops graph_calls = {
    CH_ABI_HEADER(ch_device_graph_ops, CH_ABI_DEVICE_ORCHESTRATION, CH_DEVICE_ORCHESTRATION_MAJOR,
                  CH_DEVICE_ORCHESTRATION_MINOR, "*"),
    [](ch_device_graph* graph, const ch_task_spec* spec, ch_task_result* out_result) {
        return negated(at(graph, __builtin_return_address(0)).submit(*spec, out_result));
    },
    [](ch_device_graph* graph, int64_t producer, int64_t consumer) {
        return negated(at(graph, __builtin_return_address(0)).add_dependency(producer, consumer));
    },
    [](ch_device_graph* graph, int32_t mode) {
        return negated(at(graph, __builtin_return_address(0)).scope_begin(mode));
    },
    [](ch_device_graph* graph) { return negated(at(graph, __builtin_return_address(0)).scope_end()); },
    [](ch_device_graph* graph, const ch_device_tensor* tensor, const uint32_t* indices, uint64_t* out_bits) {
        return negated(at(graph, __builtin_return_address(0)).access_element(*tensor, indices, false, out_bits));
    },
    [](ch_device_graph* graph, const ch_device_tensor* tensor, const uint32_t* indices, uint64_t bits) {
        return negated(at(graph, __builtin_return_address(0)).access_element(*tensor, indices, true, &bits));
    },
    [](ch_device_graph* graph) { return at(graph, __builtin_return_address(0)).breathe() ? 0 : 1; },
    [](ch_device_graph* graph, int32_t code, const char* text) { at(graph).fail(code, text ? text : ""); },
    [](ch_device_graph* graph, int32_t, const char* text) { at(graph).log(text ? text : ""); },
    [](ch_device_graph* graph) { return at(graph).cluster_count(); },
    [](ch_device_graph* graph, uint64_t address, const ch_tensor_spec* spec, ch_device_tensor* out_tensor) {
        return negated(at(graph, __builtin_return_address(0)).tensor_at(address, *spec, out_tensor));
    },
};

}  // namespace chiphost::orchestrator
