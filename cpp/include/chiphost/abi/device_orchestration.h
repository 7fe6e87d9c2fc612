// SPDX-License-Identifier: Apache-2.0
//
// The boundary between the runtimes whose orchestration runs on the AICPU (aicpu_build_graph,
// tensormap_and_ringbuffer) and an orchestration: a table of functions. An orchestration links against nothing of
// chiphost. C++ users include chiphost/device_graph.h, which wraps this.
//
// A function that fails records the error. The first error of a run is the one reported; after it every function fails
// at once, and the run ends with it whatever the orchestration returns.
#pragma once

#include "callable.h"
#include "device_tensor.h"
#include "header.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CH_DEVICE_ORCHESTRATION_MAJOR 1  // version of ch_device_graph_ops
#define CH_DEVICE_ORCHESTRATION_MINOR 1  // its minor version
// Exported by every orchestration library: a ch_abi_header of kind CH_ABI_DEVICE_ORCHESTRATION.
#define CH_DEVICE_ORCHESTRATION_ABI "chiphost_orchestration_abi"

#define CH_MAX_TASK_TENSORS 32   // of one task
#define CH_MAX_TASK_SCALARS 128  // of one task
#define CH_MAX_SCOPE_DEPTH 64    // scopes that are open at the same time

// The ways in which a task uses a tensor. The numbers are those of simpler's TensorArgType.
typedef enum ch_tensor_role {
    CH_ROLE_INPUT = 0,            // reads it
    CH_ROLE_OUTPUT = 1,           // a new tensor, made for the task
    CH_ROLE_INOUT = 2,            // reads and writes it
    CH_ROLE_OUTPUT_EXISTING = 3,  // writes it without reading
    CH_ROLE_NO_DEP = 4,           // uses it, but no edge is inferred from that, except to the task that made the buffer
} ch_tensor_role;

// A tensor argument of a task.
typedef struct ch_task_tensor {
    uint32_t role;      // ch_tensor_role
    uint32_t reserved;  // 0
    union {
        const ch_device_tensor* tensor;  // every role but CH_ROLE_OUTPUT
        const ch_tensor_spec* spec;      // CH_ROLE_OUTPUT
    };
} ch_task_tensor;

// A task to be submitted: `submit` copies everything.
typedef struct ch_task_spec {
    uint32_t struct_bytes;          // sizeof(ch_task_spec) of the caller
    int32_t func_id[3];             // kernels for AIC, AIV0, AIV1 of one cluster; -1: that core is not used
    uint32_t block_num;             // SPMD blocks, 1 or more
    uint32_t tensor_count;          // at most CH_MAX_TASK_TENSORS
    uint32_t scalar_count;          // at most CH_MAX_TASK_SCALARS
    uint32_t after_count;           // entries of `after`
    const ch_task_tensor* tensors;  // the first arguments
    const uint64_t* scalars;        // the arguments after them, as 64-bit words
    const int64_t* after;           // ids of tasks that must complete before this one
} ch_task_spec;

#define CH_TASK_SPEC_BYTES_MIN 56  // of ch_task_spec in version 1.0; later minors add fields at the end

// A task that was submitted.
typedef struct ch_task_result {
    int64_t id;                       // ring << 32 | number in the ring; negative: the submission failed
    const ch_device_tensor* outputs;  // the new tensors, in the order of the arguments; valid until the scope ends
    uint32_t output_count;            // entries of `outputs`
    uint32_t reserved;                // 0
} ch_task_result;

// The order of the tasks of a scope, and the time at which they start.
typedef enum ch_scope_mode {
    CH_SCOPE_AUTO = 0,    // edges are inferred, tasks may start as soon as they are submitted
    CH_SCOPE_MANUAL = 1,  // edges are what add_dependency says, tasks start when the scope ends
} ch_scope_mode;

typedef struct ch_device_graph ch_device_graph;

// The functions of a graph.
//
// graph: what the orchestration was called with.
// tensor: an argument of the run, or made in an open scope; or a view of one.
// Errors: a function that fails records the error and returns a negative value.
// Threads: the one on which the orchestration was called, until that returns.
// Ownership: arguments are borrowed for the call.
typedef struct ch_device_graph_ops {
    ch_abi_header header;  // of kind CH_ABI_DEVICE_ORCHESTRATION

    // Submits a task to the innermost scope. Waits for room in the scope's ring if need be.
    //
    // spec: the task; everything in it is copied.
    // out_result: its id and its new tensors.
    // Errors: for what the task says CH_TASK_INVALID, CH_KERNEL_MISSING, CH_CORE_TYPE_INVALID, CH_FUNC_ID_OUT_OF_RANGE,
    // CH_TOO_MANY_TASK_ARGS, CH_TASK_ID_OUT_OF_RANGE, CH_TENSOR_EXPIRED; if no room can come CH_SCOPE_DEADLOCK,
    // CH_HEAP_DEADLOCK, CH_WINDOW_DEADLOCK, CH_DEP_POOL_DEADLOCK, CH_TENSOR_MAP_DEADLOCK; CH_TOO_MANY_TASKS.
    int32_t (*submit)(ch_device_graph* graph, const ch_task_spec* spec, ch_task_result* out_result);

    // Adds an edge: `consumer` starts after `producer` has completed. An edge from a task that is gone is satisfied.
    //
    // producer: id of a task that was submitted before the consumer.
    // consumer: id of a task of a manual scope that is still open.
    // Errors: CH_TASK_ID_OUT_OF_RANGE for a producer that was never submitted, CH_GRAPH_CYCLE for one that was
    // submitted later, CH_TASK_INVALID for any other consumer, CH_DEP_POOL_DEADLOCK.
    int32_t (*add_dependency)(ch_device_graph* graph, int64_t producer, int64_t consumer);

    // Opens a scope in the innermost one. Its tensors and task slots may be reclaimed once it is closed.
    //
    // mode: a ch_scope_mode; in aicpu_build_graph every scope is manual.
    // Errors: CH_TASK_INVALID for a scope deeper than CH_MAX_SCOPE_DEPTH, and for an automatic one in a manual one.
    int32_t (*scope_begin)(ch_device_graph* graph, int32_t mode);

    // Closes the innermost scope. Tasks of a manual one may start now.
    //
    // Errors: CH_TASK_INVALID if none is open.
    int32_t (*scope_end)(ch_device_graph* graph);

    // Reads one element, after the tasks that write it have completed.
    //
    // indices: one for each dimension.
    // out_bits: the element's value in the low bytes.
    // Errors: CH_ELEMENT_WAIT if those tasks cannot start before the orchestration goes on; CH_TASK_INVALID.
    int32_t (*get_element)(ch_device_graph* graph, const ch_device_tensor* tensor, const uint32_t* indices,
                           uint64_t* out_bits);

    // Writes one element, after the tasks that read or write it have completed.
    //
    // indices: one for each dimension.
    // bits: the element's value in the low bytes.
    // Errors: as `get_element`.
    int32_t (*set_element)(ch_device_graph* graph, const ch_device_tensor* tensor, const uint32_t* indices,
                           uint64_t bits);

    // Tells that the run has failed already: submitting more is useless.
    //
    // Returns: 1 if so, else 0.
    // Errors: none.
    int32_t (*is_fatal)(ch_device_graph* graph);

    // Ends the run with CH_ORCHESTRATION_FATAL.
    //
    // code: the orchestration's own, which becomes ch_error::detail_code.
    // text: the message; copied.
    // Errors: the one that it makes; of several the first counts.
    void (*report_fatal)(ch_device_graph* graph, int32_t code, const char* text);

    // Writes a line to the log.
    //
    // level: 0.
    // text: NUL-terminated.
    // Errors: none.
    void (*log)(ch_device_graph* graph, int32_t level, const char* text);

    // Tells how many clusters this run uses (block_dim).
    //
    // Returns: a negative value if the run is over.
    int32_t (*get_cluster_count)(ch_device_graph* graph);

    // Makes a tensor of elements that lie in one tensor argument of the run. Since 1.1.
    //
    // address: device address of its first element.
    // spec: its shape and dtype; an initial value is ignored.
    // out_tensor: the tensor, which belongs to the argument's buffer.
    // Errors: CH_TASK_INVALID for any other address.
    int32_t (*tensor_at)(ch_device_graph* graph, uint64_t address, const ch_tensor_spec* spec,
                         ch_device_tensor* out_tensor);
} ch_device_graph_ops;

// A graph under construction. The runtime's own state follows the pointer.
struct ch_device_graph {
    const ch_device_graph_ops* ops;  // constant data of the runtime
};

// The arguments of the run, in device memory, tensors and scalars counted apart.
typedef struct ch_device_args {
    const ch_device_tensor* tensors;  // in the order of the call
    const uint64_t* scalars;          // 64-bit words
    uint32_t tensor_count;            // entries of `tensors`
    uint32_t scalar_count;            // entries of `scalars`
} ch_device_args;

// The function that an orchestration library exports.
//
// graph: valid until it returns.
// args: the arguments of the run, valid until it returns.
// Returns: 0: everything is submitted. Any other value ends the run with CH_ORCHESTRATION_FAILED and the value as
// ch_error::detail_code.
// Threads: one of the AICPU's; the functions of the graph may be called on no other.
// Ownership: graph and arguments are the runtime's.
// Errors: see Returns; an exception that comes out of it ends the run with CH_ORCHESTRATION_THREW.
typedef int32_t (*ch_device_orchestration)(ch_device_graph* graph, const ch_device_args* args);

#ifdef __cplusplus
}
#endif
