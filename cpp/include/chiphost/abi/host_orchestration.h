// SPDX-License-Identifier: Apache-2.0
//
// The boundary between the host_build_graph runtime and an orchestration: a table of functions. An orchestration links
// against nothing of chiphost. C++ users include chiphost/host_build_graph.h, which wraps this.
//
// A function that fails records the error. The first error of a run is the one reported; after it every function fails
// at once, and the run ends with it whatever the orchestration returns.
#pragma once

#include "callable.h"
#include "device_tensor.h"
#include "header.h"
#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CH_HOST_ORCHESTRATION_MAJOR 1  // version of ch_host_graph_ops
#define CH_HOST_ORCHESTRATION_MINOR 1  // its minor version
// Exported by every orchestration library: a ch_abi_header of kind CH_ABI_HOST_ORCHESTRATION.
#define CH_HOST_ORCHESTRATION_ABI "chiphost_orchestration_abi"

// Most 64-bit arguments of one task: so many does a core's argument area hold (16 tensors and 128 scalars, rounded up).
#define CH_MAX_TASK_ARGS 160

// An argument of a task.
typedef struct ch_host_argument {
    uint32_t is_tensor;  // 0: `word` is the argument; 1: the kernel gets the device address of a copy of *tensor
    uint32_t reserved;   // 0
    union {
        uint64_t word;                   // a scalar, or a device address
        const ch_device_tensor* tensor;  // borrowed for the call
    };
} ch_host_argument;

typedef struct ch_host_graph ch_host_graph;

// The functions of a graph.
//
// graph: what the orchestration was called with.
// Errors: a function that fails records the error and returns a negative value.
// Threads: the one on which the orchestration was called, until that returns.
// Ownership: arguments are borrowed for the call.
typedef struct ch_host_graph_ops {
    ch_abi_header header;  // of kind CH_ABI_HOST_ORCHESTRATION

    // Adds a task that runs a kernel on one core.
    //
    // args: the task's arguments as words; `arg_count` of them, at most CH_MAX_TASK_ARGS; copied.
    // func_id: the kernel, of the callable.
    // core_type: the ch_core_type that the kernel was built for.
    // Returns: the task's id: 0, 1, 2, ...; negative if it failed.
    // Errors: CH_KERNEL_MISSING, CH_CORE_TYPE_INVALID, CH_FUNC_ID_OUT_OF_RANGE, CH_TOO_MANY_TASK_ARGS,
    // CH_TOO_MANY_TASKS.
    int32_t (*add_task)(ch_host_graph* graph, const uint64_t* args, uint32_t arg_count, int32_t func_id,
                        int32_t core_type);

    // Adds an edge: `to` starts only after `from` has completed. An edge that is given twice is kept twice.
    //
    // from: id of a task of this graph.
    // to: id of another.
    // Errors: CH_TASK_ID_OUT_OF_RANGE, CH_TOO_MANY_TASKS; a cycle is found when the graph is complete: CH_GRAPH_CYCLE.
    int32_t (*add_successor)(ch_host_graph* graph, int32_t from, int32_t to);

    // Has device memory copied to host memory when the run has ended well.
    //
    // host: an address inside a tensor argument of the run that may be written.
    // device: an address inside an allocation of this run.
    // bytes: how many; they must lie in both.
    // Errors: CH_HOST_RANGE_INVALID, CH_DEVICE_POINTER_INVALID.
    int32_t (*record_tensor_pair)(ch_host_graph* graph, void* host, uint64_t device, uint64_t bytes);

    // Tells how many tasks the graph has so far.
    int32_t (*get_task_count)(ch_host_graph* graph);

    // Writes the graph to stderr, one line a task.
    //
    // Errors: none.
    void (*print_runtime)(ch_host_graph* graph);

    // Allocates device memory with an alignment of 64. Its content is undefined.
    //
    // bytes: how much.
    // Returns: its address, 0 if it failed.
    // Ownership: the run's; it is freed at the latest when that ends.
    // Errors: CH_DEVICE_MEMORY_EXHAUSTED.
    uint64_t (*device_malloc)(ch_host_graph* graph, uint64_t bytes);

    // Frees device memory before the run ends.
    //
    // device: what `device_malloc` returned; no task may use it.
    // Errors: CH_DEVICE_POINTER_INVALID.
    int32_t (*device_free)(ch_host_graph* graph, uint64_t device);

    // Copies from host memory to device memory now.
    //
    // device: an address inside an allocation of this run.
    // host: any memory of the process.
    // bytes: how many; they must lie in both.
    // Errors: CH_DEVICE_POINTER_INVALID; CH_PLATFORM_FAILED where a copy can fail.
    int32_t (*copy_to_device)(ch_host_graph* graph, uint64_t device, const void* host, uint64_t bytes);

    // Adds a task that may have tensors as arguments. Since 1.1.
    //
    // args: `arg_count` of them; copied. A tensor's buffer must be device memory of this run, its owner -1.
    // func_id: the kernel, of the callable.
    // core_type: the ch_core_type that the kernel was built for.
    // Returns: the task's id, as `add_task`.
    // Errors: as `add_task`; CH_DEVICE_POINTER_INVALID and CH_TASK_INVALID for a tensor.
    int32_t (*add_tensor_task)(ch_host_graph* graph, const ch_host_argument* args, uint32_t arg_count, int32_t func_id,
                               int32_t core_type);
} ch_host_graph_ops;

// A graph under construction. The runtime's own state follows the pointer.
struct ch_host_graph {
    const ch_host_graph_ops* ops;  // constant data of the runtime
};

// The function that an orchestration library exports.
//
// graph: valid until it returns.
// args: the arguments of the run, valid until it returns.
// Returns: 0: the graph is complete. Any other value ends the run with CH_ORCHESTRATION_FAILED and the value as
// ch_error::detail_code.
// Threads: the one of the run; the functions of the graph may be called on no other.
// Ownership: graph and arguments are the runtime's.
// Errors: see Returns; an exception that comes out of it ends the run with CH_ORCHESTRATION_THREW.
typedef int32_t (*ch_host_orchestration)(ch_host_graph* graph, const ch_task_args* args);

#ifdef __cplusplus
}
#endif
