// SPDX-License-Identifier: Apache-2.0
//
// Orchestrations that were written for simpler's host_build_graph. CHIPHOST_SIMPLER_ENTRY is the name of the function
// that builds the graph; chiphost_simpler_entry calls it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "chiphost/host_build_graph.h"
#include "common/core_type.h"
#include "task_args.h"

using OrchestrationRuntime = ch_host_graph;

// Numbers of tasks become negative when the run has failed; further calls do nothing then. An error is the run's, so
// the return values need no check.
// It is part of its caller: the return address of the call says which line has added a task.
[[gnu::always_inline]] inline int add_task(OrchestrationRuntime* runtime, uint64_t* args, int num_args, int func_id,
                                           CoreType core_type) {
    chiphost::require(num_args >= 0, "add_task: wanted a number of arguments, found %d", num_args);
    return runtime->ops->add_task(runtime, args, static_cast<uint32_t>(num_args), func_id,
                                  static_cast<int32_t>(core_type));
}
[[gnu::always_inline]] inline void add_successor(OrchestrationRuntime* runtime, int from_task, int to_task) {
    runtime->ops->add_successor(runtime, from_task, to_task);
}
[[gnu::always_inline]] inline void record_tensor_pair(OrchestrationRuntime* runtime, void* host, void* device,
                                                      size_t bytes) {
    runtime->ops->record_tensor_pair(runtime, host, reinterpret_cast<uint64_t>(device), bytes);
}
inline int get_task_count(OrchestrationRuntime* runtime) {
    return runtime->ops->get_task_count(runtime);
}
inline void print_runtime(OrchestrationRuntime* runtime) {
    runtime->ops->print_runtime(runtime);
}
// Undefined memory, freed when the run ends; nullptr if no memory is left.
[[gnu::always_inline]] inline void* device_malloc(OrchestrationRuntime* runtime, size_t bytes) {
    return reinterpret_cast<void*>(runtime->ops->device_malloc(runtime, bytes));
}
[[gnu::always_inline]] inline void device_free(OrchestrationRuntime* runtime, void* device) {
    runtime->ops->device_free(runtime, reinterpret_cast<uint64_t>(device));
}
// Copies; the result is 0, or negative if the run has failed.
[[gnu::always_inline]] inline int copy_to_device(OrchestrationRuntime* runtime, void* device, const void* host,
                                                 size_t bytes) {
    return runtime->ops->copy_to_device(runtime, reinterpret_cast<uint64_t>(device), host, bytes);
}

extern "C" int CHIPHOST_SIMPLER_ENTRY(OrchestrationRuntime* runtime, const ChipStorageTaskArgs& args);

extern "C" __attribute__((visibility("default"), weak)) int32_t chiphost_simpler_entry(ch_host_graph* graph,
                                                                                       const ch_task_args* args) {
    return CHIPHOST_SIMPLER_ENTRY(graph, ChipStorageTaskArgs(*args));
}
