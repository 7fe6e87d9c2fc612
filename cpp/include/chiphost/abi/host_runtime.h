// SPDX-License-Identifier: Apache-2.0
//
// The boundary between a worker and a host runtime: a library that prepares and launches runs on one kind of chip.
//
// A host runtime is one shared library for one (runtime, chip, platform). It exports one function,
//
//     const ch_host_runtime* chiphost_host_runtime(void);
//
// that returns a table of constant data. The library keeps nothing in globals: all that a worker needs lives in its
// context.
//
// Nothing goes the other way as a function pointer into the worker: its code belongs to another namespace and must not
// run on the runtime's threads. What the runtime needs from outside it finds in the anchor (abi/anchor.h), the first
// object of its own namespace, and in plain shared memory (ch_run_progress).
//
// Threads: those that belong to the library's own linker namespace; one call at a time for each context, and calls on
// different contexts may overlap.
#pragma once

#include "anchor.h"
#include "callable.h"
#include "error.h"
#include "header.h"
#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CH_HOST_RUNTIME_MAJOR 3                        // version of ch_host_runtime
#define CH_HOST_RUNTIME_MINOR 4                        // its minor version
#define CH_HOST_RUNTIME_ENTRY "chiphost_host_runtime"  // exported: a ch_host_runtime_entry

// Most host threads that one run may use (ch_call_config.sim_threads).
#define CH_MAX_SIM_THREADS 64

// A program that the runtime loads itself.
typedef struct ch_program_file {
    const char* path;  // of a shared library
    const char* key;   // identity of the file: a rebuilt file has another key
} ch_program_file;

// The arguments of `set_device`.
//
// Ownership: everything is borrowed for the duration of the call, except `anchor`, which outlives every context.
typedef struct ch_device_options {
    uint32_t struct_bytes;         // sizeof(ch_device_options) of the caller
    int32_t device_id;             // number of the device
    ch_program_file aicpu;         // the AICPU scheduler
    ch_program_file aicore;        // the AICore executor
    uint64_t device_memory_bytes;  // device memory this context may use; 0: what the chip has
    const ch_anchor* anchor;       // services of the namespace the runtime lives in
    void* anchor_state;            // first argument of the anchor's functions
    // Folder for temporary files. A runtime must not ask its own environment: that of another namespace's C library is
    // not told when the process changes its variables, and points to memory that is gone.
    const char* temp_folder;
    // Folder of the chip vendor's software, NULL or "" if none is named.
    const char* sdk_folder;
    // The environment variable that named it, for messages; NULL or "" if none did.
    const char* sdk_variable;
    // Bytes of stack for orchestrations and kernels that run on this host, at least; 0: as usual. The thread that calls
    // the runtime has them already. Since version 3.1.
    uint64_t stack_bytes;
    // 1: the device is for runs with ch_call_config::check. The frame of host runtimes opens it for the first of them.
    // Since version 3.4.
    uint32_t checked;
    uint32_t reserved;  // 0
} ch_device_options;

// The configuration of one run. call_config.def says what each field means. Since version 3.2 a number whose kind there
// is "optional" may be 0: then it is the default below, or what the chip has if that is less. Any other number is taken
// as it is, or refused.
typedef struct ch_call_config {
    uint32_t struct_bytes;  // sizeof(ch_call_config) of the caller
#define CH_CONFIG_FIELD(type, name, ...) type name;
#include "call_config.def"
} ch_call_config;

#define CH_BLOCK_DIM_DEFAULT 24                     // of ch_call_config::block_dim
#define CH_AICPU_THREAD_NUM_DEFAULT 3               // of ch_call_config::aicpu_thread_num
#define CH_RING_TASK_WINDOW_MIN 4                   // of ch_call_config::ring_task_window
#define CH_RING_TASK_WINDOW_MAX (1u << 22)          // of ch_call_config::ring_task_window
#define CH_RING_TASK_WINDOW_DEFAULT 16384           // of ch_call_config::ring_task_window
#define CH_RING_DEP_POOL_MIN 4                      // of ch_call_config::ring_dep_pool
#define CH_RING_DEP_POOL_MAX (1u << 28)             // of ch_call_config::ring_dep_pool
#define CH_RING_DEP_POOL_DEFAULT 65536              // of ch_call_config::ring_dep_pool
#define CH_RING_HEAP_MIN 1024                       // of ch_call_config::ring_heap_bytes; the most is the chip's memory
#define CH_RING_HEAP_DEFAULT (UINT64_C(256) << 20)  // of ch_call_config::ring_heap_bytes

// The places where a run can be.
enum ch_run_phase {
    CH_PHASE_IDLE = 0,           // no run is under way
    CH_PHASE_PREPARE = 1,        // checks, loading of kernels
    CH_PHASE_ORCHESTRATION = 2,  // inside the orchestration
    CH_PHASE_DEVICE = 3,         // the device is running
    CH_PHASE_COPY_OUT = 4,       // results go to the caller's arrays
};

// Says who may touch the caller's arrays.
enum ch_run_claim {
    CH_CLAIM_OPEN = 0,       // the run goes on
    CH_CLAIM_COPY_OUT = 1,   // the runtime writes results: the caller must wait, it is a bounded copy
    CH_CLAIM_ABANDONED = 2,  // the caller gave up: the runtime must not touch the arrays any more
};

// Shared between the waiting caller and the running runtime.
//
// Threads: any of both sides; all fields are accessed atomically.
// Ownership: the caller owns the record and keeps it alive until the run has returned, for ever if that never happens.
typedef struct ch_run_progress {
    uint32_t cancel;         // caller: 1 asks the run to stop at the next opportunity
    uint32_t phase;          // runtime: ch_run_phase
    uint32_t claim;          // ch_run_claim, changed by compare-and-swap
    uint32_t orchestrating;  // runtime: 1 while an AICPU thread is inside the orchestration
    struct {
        int64_t task;             // the task this lane executes, -1: none
        int32_t core;             // the core on which it does
        int32_t func_id;          // the kernel
        int32_t thread;           // the system's number of the thread; the first lane is the thread that called run
        uint32_t submission;      // number of the task, counted from 0 as they were submitted. Since version 3.4
    } lanes[CH_MAX_SIM_THREADS];  // one for each host thread that runs kernels
} ch_run_progress;

// One step of a traced run. Times are step numbers: the trace of a run with sim_threads 1 depends on the callable, its
// arguments, the configuration and the seed, and on nothing else.
typedef struct ch_trace_event {
    uint32_t step;   // counted from the launch
    uint8_t core;    // the core that it is about
    uint8_t ring;    // high bits of the task id: its ring, 0 in host_build_graph
    uint8_t kind;    // ch_trace_kind
    uint8_t by;      // AICPU thread that acted; 255: the core itself
    uint32_t value;  // register value, or block index
    uint32_t task;   // low 32 bits of the task id; 0xFFFFFFFF when the event has none
} ch_trace_event;

// The kinds of things that a processor did.
enum ch_trace_kind {
    CH_TRACE_DISPATCH = 1,  // DATA_MAIN_BASE was written
    CH_TRACE_COND = 2,      // COND was written
    CH_TRACE_KERNEL = 3,    // a kernel was entered
};

// A run says this about itself. One that returns CH_OK fills it, but for what is about runs that failed.
typedef struct ch_run_result {
    uint32_t struct_bytes;        // sizeof(ch_run_result) of the caller
    uint32_t reserved;            // 0
    uint64_t task_count;          // tasks of the graph
    uint64_t orchestration_ns;    // building the graph
    uint64_t device_ns;           // from launch to completion
    uint64_t total_ns;            // all of run()
    const ch_trace_event* trace;  // owned by the context, valid until its next call
    uint64_t trace_count;         // entries of `trace`; 0 if none was asked for
    // What ch_call_config::check has found, as JSON (docs/internals/checks.md), also after a run that failed; NULL if
    // nothing was checked. Owned by the context, valid until its next call. Since version 3.4.
    const char* check_report;
    uint64_t check_report_bytes;  // of check_report, without the NUL at its end
    // After a run that failed: the number of the submission that its error is about, counted from 0 in the order of the
    // orchestration's calls; -1: it is about none. Since version 3.4.
    int64_t failed_submission;
    // After a run of a simulated chip that could not end, would not have, or was cancelled on the device: what waits
    // for what, and the last events if there are kernels that wait, a line each; else NULL. Owned by the context, valid
    // until its next call. Since version 3.4.
    const char* stall_report;
    uint64_t stall_report_bytes;  // of stall_report, without the NUL at its end
} ch_run_result;

// The ways to choose the schedules of an exploration.
enum ch_strategy {
    CH_STRATEGY_REPLAY = 0,      // the one that `log` describes
    CH_STRATEGY_RANDOM = 1,      // every option of a choice with the same probability
    CH_STRATEGY_PCT = 2,         // by random priorities, with a probability that is known (docs/explore.md)
    CH_STRATEGY_POS = 3,         // by random priorities that are drawn again where two events meet
    CH_STRATEGY_EXHAUSTIVE = 4,  // all of them
};

// The detail in which schedules are told apart.
enum ch_schedule_level {
    CH_LEVEL_TASKS = 0,  // the order in which tasks run
    CH_LEVEL_STEPS = 1,  // the order of all steps of all processors
};

// How an exploration ended, or why it paused.
enum ch_exploration_outcome {
    CH_EXPLORED_NOTHING = 0,  // the runtime does not explore
    CH_EXPLORED_BUDGET = 1,   // as many schedules, or for as long, as was wanted
    CH_EXPLORED_ALL = 2,      // there is no further schedule
    CH_EXPLORED_DIFFERS = 3,  // a schedule has other outputs, which are in the caller's arrays
    CH_EXPLORED_FAILED = 4,   // a schedule failed, with the error of the run
};

// A choice that was not made as in the default order.
typedef struct ch_decision {
    uint32_t number;  // of the choice in its schedule, counted from 0
    uint32_t option;  // what was chosen, 1 or more: 0 is the default
} ch_decision;

// Many runs instead of one: the same callable with the same arguments in many schedules, the default one first, whose
// outputs the others must have too, byte for byte. The arrays are as they were before each of them.
//
// An exploration that paused goes on with another call, which has the same callable, arguments and configuration; a
// replay may come in between and disturbs nothing. Since version 3.4.
typedef struct ch_exploration {
    uint32_t struct_bytes;  // sizeof(ch_exploration) of the caller
    uint32_t strategy;      // ch_strategy
    uint32_t level;         // ch_schedule_level
    uint32_t depth;         // of CH_STRATEGY_PCT: ordering decisions that a fault may need, at least 1
    uint32_t every_core;    // 1: CH_STRATEGY_EXHAUSTIVE tries every core for every task, too
    uint32_t goes_on;       // 1: continue the exploration that this context had under way
    uint32_t accepts;       // 1: the outputs with which it paused are right, too
    uint32_t outcome;       // result: ch_exploration_outcome
    // 1: for CH_STRATEGY_EXHAUSTIVE, what tasks do with memory does not depend on their order. Orders in which tasks
    // change places that no task waits for together are one then.
    uint32_t race_free;
    uint32_t reserved;         // 0
    uint64_t seed;             // of the random numbers
    uint64_t schedules_max;    // of this call; the default one does not count
    uint64_t time_max_ns;      // of this call; 0: no limit
    const ch_decision* log;    // of CH_STRATEGY_REPLAY, by rising number
    uint64_t log_count;        // entries of `log`
    uint64_t schedules;        // result: schedules that were run, those of earlier calls and the default one included
    uint64_t orders;           // result: different orders of tasks on cores among them
    uint64_t events;           // result: most tasks, or blocks of tasks, that a schedule had
    uint64_t decisions;        // result: most choices that a schedule had
    uint64_t processors;       // result: cores and AICPU threads of a run
    const ch_decision* found;  // result: choices of the last schedule; owned by the context, valid until its next call
    uint64_t found_count;      // result: entries of `found`
} ch_exploration;

// The arguments of `run`.
//
// Ownership: everything is borrowed until the run has returned; ch_run_progress says what is different.
typedef struct ch_run_request {
    uint32_t struct_bytes;         // sizeof(ch_run_request) of the caller
    uint32_t reserved;             // 0
    const ch_callable* callable;   // what is executed
    const ch_task_args* args;      // its arguments
    const ch_call_config* config;  // how it is executed
    ch_run_progress* progress;     // where it is, for the one who waits
    ch_run_result* out_result;     // what came of it
    ch_exploration* exploration;   // NULL: one run, as the configuration says. Since version 3.4
} ch_run_request;

// The size of the chip: constants of the platform that the runtime is built for.
typedef struct ch_chip {
    uint32_t struct_bytes;   // sizeof(ch_chip) of the library
    uint32_t clusters;       // most that a run may use
    uint32_t aicpu_threads;  // most that a run may use
    uint32_t reserved;       // 0
    uint64_t memory_bytes;   // device memory
} ch_chip;

// The functions of a host runtime. All but `runtime_size` take three pointers, so that a mailbox can carry the
// call.
//
// out_error: the caller's record, zeroed; filled with what went wrong.
// Errors: a function returns CH_OK, or a code with *out_error filled; none lets an exception out.
typedef struct ch_host_runtime {
    ch_abi_header header;  // of kind CH_ABI_HOST_RUNTIME
    const char* runtime;   // "host_build_graph"
    const char* arch;      // "a2a3"
    const char* platform;  // "a2a3sim"
    const char* version;   // of the library, for messages

    // Tells how large a context is. It is asked once, when the library is loaded.
    //
    // Returns: bytes, to be allocated by the caller with an alignment of 64.
    // Errors: none.
    uint64_t (*runtime_size)(void);

    // Makes a context and opens the device.
    //
    // context: memory of the caller, which stays where it is until `finalize_device`; as before if this fails.
    // options: borrowed for the call.
    // Errors: for a program's file CH_FILE_UNREADABLE, CH_NOT_ELF, CH_ENTRY_MISSING, CH_ABI_MISMATCH and the like;
    // CH_PLATFORM_FAILED, CH_INVALID_ARGUMENT, CH_UNIMPLEMENTED.
    int32_t (*set_device)(void* context, const ch_device_options* options, ch_error* out_error);

    // Executes one run and returns when it has ended. A run that fails leaves the context usable.
    //
    // context: what `set_device` has made.
    // request: borrowed until the run has returned.
    // Errors: any that a graph, its orchestration, its kernels or the device may have; CH_CONFIG_OUT_OF_RANGE;
    // CH_DEADLINE_EXCEEDED after a cancel.
    int32_t (*run)(void* context, const ch_run_request* request, ch_error* out_error);

    // Closes the device and destroys the context. All it held is free afterwards, also after an error.
    //
    // context: what `set_device` has made; the memory is the caller's again.
    // reserved: NULL.
    int32_t (*finalize_device)(void* context, const void* reserved, ch_error* out_error);

    // The size of the chip. It lives as long as the library. Since version 3.2.
    const ch_chip* chip;

    // The environment variables that may name sdk_folder, best first, and NULL behind the last; NULL if there are none.
    // The first that is set and not empty counts. The names live as long as the library. Since version 3.3.
    const char* const* sdk_variables;
} ch_host_runtime;

// The function that a host runtime exports as CH_HOST_RUNTIME_ENTRY.
//
// Returns: the table, constant data of the library.
// Errors: none.
typedef const ch_host_runtime* (*ch_host_runtime_entry)(void);

// Size of ch_device_options in version 3.0. Later minors add fields at the end of a record; whoever reads one goes by
// its struct_bytes (cpp/status/record.h).
#define CH_DEVICE_OPTIONS_BYTES_MIN 80
#define CH_CALL_CONFIG_BYTES_MIN 48   // of ch_call_config in version 3.0
#define CH_RUN_REQUEST_BYTES_MIN 48   // of ch_run_request in version 3.0
#define CH_EXPLORATION_BYTES_MIN 136  // of ch_exploration in version 3.4

#ifdef __cplusplus
}
static_assert(__builtin_offsetof(ch_call_config, seed) == 24 &&
                  __builtin_offsetof(ch_call_config, ring_heap_bytes) == 40,
              "ch_call_config is part of the ABI: rows of call_config.def stay where they are");
#endif
