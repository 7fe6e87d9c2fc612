// SPDX-License-Identifier: Apache-2.0
//
// The boundary between the host_build_graph runtime and an orchestration: a table of functions. An orchestration links
// against nothing of chiphost. C++ users include chiphost/host_build_graph.h, which wraps this.
//
// A function that fails records the error and returns a negative value. The first error of a run is the one reported;
// after it every function fails at once, and the run ends with it whatever the orchestration returns.
#pragma once

#include "callable.h"
#include "device_tensor.h"
#include "header.h"
#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CH_HOST_ORCHESTRATION_MAJOR 1
#define CH_HOST_ORCHESTRATION_MINOR 1
// Exported by every orchestration library: a ch_abi_header of kind CH_ABI_HOST_ORCHESTRATION.
#define CH_HOST_ORCHESTRATION_ABI "chiphost_orchestration_abi"

// Most 64-bit arguments of one task: what a core's argument area holds (16 tensors and 128 scalars, rounded up).
#define CH_MAX_TASK_ARGS 160

// An argument of a task. Borrowed for the call.
typedef struct ch_host_argument {
    uint32_t is_tensor;  // 0: `word` is the argument; 1: the kernel gets the device address of a copy of *tensor
    uint32_t reserved;
    union {
        uint64_t word;
        const ch_device_tensor* tensor;
    };
} ch_host_argument;

typedef struct ch_host_graph ch_host_graph;

typedef struct ch_host_graph_ops {
    ch_abi_header header;

    // Adds a task that runs kernel func_id on one core. Arguments are copied. Returns the task's id: 0, 1, 2, ...
    int32_t (*add_task)(ch_host_graph* graph, const uint64_t* args, uint32_t arg_count, int32_t func_id,
                        int32_t core_type);

    // `to` starts only after `from` has completed. An edge that is given twice is kept twice. 0 or negative.
    int32_t (*add_successor)(ch_host_graph* graph, int32_t from, int32_t to);

    // After the run, copies `bytes` from device memory to host memory inside a tensor argument of the run. 0 or
    // negative.
    int32_t (*record_tensor_pair)(ch_host_graph* graph, void* host, uint64_t device, uint64_t bytes);

    int32_t (*get_task_count)(ch_host_graph* graph);

    // Writes the graph to stderr, one line a task.
    void (*print_runtime)(ch_host_graph* graph);

    // Device memory, freed at the latest when the run ends. Alignment 64; the content is undefined. 0: failed.
    uint64_t (*device_malloc)(ch_host_graph* graph, uint64_t bytes);

    // Frees an allocation of this run that no task uses. 0 or negative.
    int32_t (*device_free)(ch_host_graph* graph, uint64_t device);

    // Copies from any host memory to device memory now. 0 or negative.
    int32_t (*copy_to_device)(ch_host_graph* graph, uint64_t device, const void* host, uint64_t bytes);

    // Since 1.1. As add_task; a tensor's buffer must be device memory of this run, its owner -1.
    int32_t (*add_tensor_task)(ch_host_graph* graph, const ch_host_argument* args, uint32_t arg_count, int32_t func_id,
                               int32_t core_type);
} ch_host_graph_ops;

// The runtime's own state follows.
struct ch_host_graph {
    const ch_host_graph_ops* ops;
};

// 0: the graph is complete. Any other value ends the run with CH_ORCHESTRATION_FAILED and the value as detail_code.
typedef int32_t (*ch_host_orchestration)(ch_host_graph* graph, const ch_task_args* args);

#ifdef __cplusplus
}
#endif
