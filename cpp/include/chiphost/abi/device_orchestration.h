// SPDX-License-Identifier: Apache-2.0
//
// The boundary between the runtimes whose orchestration runs on the AICPU (aicpu_build_graph,
// tensormap_and_ringbuffer) and an orchestration: a table of functions. An orchestration links against nothing of
// chiphost. C++ users include chiphost/device_graph.h, which wraps this.
//
// A function that fails records the error and returns a negative value. The first error of a run is the one reported;
// after it every function fails at once, and the run ends with it whatever the orchestration returns.
#pragma once

#include "callable.h"
#include "device_tensor.h"
#include "header.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CH_DEVICE_ORCHESTRATION_MAJOR 1
#define CH_DEVICE_ORCHESTRATION_MINOR 1
// Exported by every orchestration library: a ch_abi_header of kind CH_ABI_DEVICE_ORCHESTRATION.
#define CH_DEVICE_ORCHESTRATION_ABI "chiphost_orchestration_abi"

#define CH_MAX_TASK_TENSORS 32
#define CH_MAX_TASK_SCALARS 128
#define CH_MAX_SCOPE_DEPTH 64

// How a task uses a tensor. The numbers are those of simpler's TensorArgType.
typedef enum ch_tensor_role {
    CH_ROLE_INPUT = 0,            // reads it
    CH_ROLE_OUTPUT = 1,           // a new tensor, made for the task
    CH_ROLE_INOUT = 2,            // reads and writes it
    CH_ROLE_OUTPUT_EXISTING = 3,  // writes it without reading
    CH_ROLE_NO_DEP = 4,           // uses it, but no edge is inferred from that, except to the task that made the buffer
} ch_tensor_role;

typedef struct ch_task_tensor {
    uint32_t role;  // ch_tensor_role
    uint32_t reserved;
    union {
        const ch_device_tensor* tensor;  // every role but CH_ROLE_OUTPUT
        const ch_tensor_spec* spec;      // CH_ROLE_OUTPUT
    };
} ch_task_tensor;

// A task. Everything is copied by submit.
typedef struct ch_task_spec {
    uint32_t struct_bytes;  // sizeof(ch_task_spec) of the caller
    int32_t func_id[3];     // kernels for AIC, AIV0, AIV1 of one cluster; -1: that core is not used
    uint32_t block_num;     // SPMD blocks, 1 or more
    uint32_t tensor_count;  // at most CH_MAX_TASK_TENSORS
    uint32_t scalar_count;  // at most CH_MAX_TASK_SCALARS
    uint32_t after_count;
    const ch_task_tensor* tensors;
    const uint64_t* scalars;
    const int64_t* after;  // ids of tasks that must complete before this one
} ch_task_spec;

#define CH_TASK_SPEC_BYTES_MIN 56  // in version 1.0; later minors add fields at the end

typedef struct ch_task_result {
    int64_t id;                       // ring << 32 | number in the ring; negative: the submission failed
    const ch_device_tensor* outputs;  // the new tensors, in the order of the arguments; valid until the scope ends
    uint32_t output_count;
    uint32_t reserved;
} ch_task_result;

typedef enum ch_scope_mode {
    CH_SCOPE_AUTO = 0,    // edges are inferred, tasks may start as soon as they are submitted
    CH_SCOPE_MANUAL = 1,  // edges are what add_dependency says, tasks start when the scope ends
} ch_scope_mode;

typedef struct ch_device_graph ch_device_graph;

typedef struct ch_device_graph_ops {
    ch_abi_header header;

    // Submits a task to the innermost scope. Waits for room in the scope's ring if need be. 0 or negative.
    int32_t (*submit)(ch_device_graph* graph, const ch_task_spec* spec, ch_task_result* out_result);

    // `consumer`, a task of an open manual scope, starts after `producer` has completed. An edge from a task that is
    // gone is satisfied. 0 or negative.
    int32_t (*add_dependency)(ch_device_graph* graph, int64_t producer, int64_t consumer);

    // Opens a scope; tensors and task slots of it may be reclaimed once it is closed. In aicpu_build_graph every scope
    // is manual. 0 or negative.
    int32_t (*scope_begin)(ch_device_graph* graph, int32_t mode);
    int32_t (*scope_end)(ch_device_graph* graph);

    // Reads or writes one element. Waits until the tasks that write it, and for a write those that read it, have
    // completed. `indices` has ndims entries; `bits` is the element's value in the low bytes. 0 or negative.
    int32_t (*get_element)(ch_device_graph* graph, const ch_device_tensor* tensor, const uint32_t* indices,
                           uint64_t* out_bits);
    int32_t (*set_element)(ch_device_graph* graph, const ch_device_tensor* tensor, const uint32_t* indices,
                           uint64_t bits);

    // 1 if the run has failed already: submitting more is useless.
    int32_t (*is_fatal)(ch_device_graph* graph);

    // Ends the run with CH_ORCHESTRATION_FATAL, `code` as detail_code and the text.
    void (*report_fatal)(ch_device_graph* graph, int32_t code, const char* text);

    // Writes a line to the log.
    void (*log)(ch_device_graph* graph, int32_t level, const char* text);

    // Clusters in use by this run (block_dim); negative if the run is over.
    int32_t (*get_cluster_count)(ch_device_graph* graph);

    // Since 1.1. A tensor as `spec` describes it whose first element is at a device address: of elements that lie in one
    // tensor argument of the run, whose buffer it belongs to. An initial value is no business of it. 0 or negative.
    int32_t (*tensor_at)(ch_device_graph* graph, uint64_t address, const ch_tensor_spec* spec,
                         ch_device_tensor* out_tensor);
} ch_device_graph_ops;

// The runtime's own state follows.
struct ch_device_graph {
    const ch_device_graph_ops* ops;
};

// The arguments of the run, in device memory, tensors and scalars counted apart.
typedef struct ch_device_args {
    const ch_device_tensor* tensors;
    const uint64_t* scalars;
    uint32_t tensor_count;
    uint32_t scalar_count;
} ch_device_args;

// 0: everything is submitted. Any other value ends the run with CH_ORCHESTRATION_FAILED and the value as detail_code.
typedef int32_t (*ch_device_orchestration)(ch_device_graph* graph, const ch_device_args* args);

#ifdef __cplusplus
}
#endif
