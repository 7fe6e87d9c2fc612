// SPDX-License-Identifier: Apache-2.0
//
// The two programs that run on the device, and what the host leaves in device memory for them.
//
// Both are written as step functions: a step does what can be done now and says whether to come again. On a chip a
// plain loop drives them; the simulated chip drives all of them from one thread or several. On a chip the AICPU program
// is started with the address of the launch record; on the simulated chip it is a library with the tables below.
//
// Errors: no function returns one; what goes wrong is in the launch's ch_launch_status.
// Ownership: contexts are memory of whoever drives the program; other arguments are borrowed for the call.
#pragma once

#include "callable.h"
#include "error.h"
#include "header.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CH_DEVICE_PROGRAM_MAJOR 4                          // version of ch_aicpu_program and ch_aicore_program
#define CH_DEVICE_PROGRAM_MINOR 0                          // their minor version
#define CH_AICPU_PROGRAM_ENTRY "chiphost_aicpu_program"    // exported: a ch_aicpu_program_entry
#define CH_AICORE_PROGRAM_ENTRY "chiphost_aicore_program"  // exported: a ch_aicore_program_entry

// The outcome of a step of a processor.
typedef enum ch_step {
    CH_STEP_IDLE = 0,    // nothing to do until a register that this processor watches is written
    CH_STEP_POLL = 1,    // nothing to do, but what it waits for is in memory: come again
    CH_STEP_WORKED = 2,  // did something; come again
    CH_STEP_DONE = 3,    // finished; do not come again
} ch_step;

#define CH_LAUNCH_FORMAT 5  // the value of ch_launch::format

// The record in which the device tells the host what went wrong. Whoever finds the first fault changes error.code from
// CH_OK by compare-and-swap and writes the rest of the error, which is valid once `complete` is 1. The host clears
// everything before a launch but the error's texts.
typedef struct ch_launch_status {
    int32_t complete;     // 1: all of the error is written
    int32_t reserved;     // 0
    uint64_t tasks_done;  // tasks that have completed
    int64_t submission;   // number of the submission that the error is about, counted from 0; -1: it is about none
    ch_error error;       // the first fault; its code is CH_OK while there is none
} ch_launch_status;

// The record that a launch starts from. It is in device memory, and its addresses are device addresses.
typedef struct ch_launch {
    uint32_t format;              // CH_LAUNCH_FORMAT
    uint32_t block_dim;           // clusters; cores 0..block_dim-1 are AIC, then 2*block_dim AIV
    uint32_t aicpu_thread_count;  // AICPU threads that take part
    uint32_t kernel_count;        // entries of the kernel table
    uint64_t graph;               // graph::Image
    uint64_t kernels;             // uint64_t address for each func_id, 0: none
    uint64_t handshakes;          // core_protocol::Handshake for each core
    uint64_t payloads;            // core_protocol::Payload, two for each core
    uint64_t status;              // ch_launch_status
    uint64_t hand_over;           // HandOverArea (hand_over.h) for each cluster, 0: no kernel uses it
    uint64_t choices;             // graph::Choices, 0: the default order; always 0 on a chip
    uint64_t observer;            // graph::RunObserver of a simulated chip, 0: nobody looks on
    uint64_t kernel_names;        // graph::KernelName for each func_id, 0: nobody knows them
} ch_launch;

// The AICPU program.
//
// context: what `create` has made.
// Threads: one at a time for each context, but for `step` and `stop`.
typedef struct ch_aicpu_program {
    ch_abi_header header;  // of kind CH_ABI_AICPU_PROGRAM

    // Tells how large a context is. It is to be allocated with an alignment of 64.
    //
    // Threads: any.
    uint64_t (*context_bytes)(void);

    // Makes the context, which keeps what launches have in common: loaded orchestrations.
    //
    // context: memory of the caller, which stays where it is until `destroy`.
    void (*create)(void* context);

    // Begins a launch, before any step of it.
    //
    // launch: borrowed until `end`.
    // ports: for each thread the platform's access to the chip (platform/aicpu.h); borrowed until `end`.
    void (*begin)(void* context, const ch_launch* launch, void* const* ports);

    // Takes one step of one thread.
    //
    // thread: its number in the launch.
    // Threads: different threads may step at the same time.
    ch_step (*step)(void* context, uint32_t thread);

    // Says what is waiting for what, when no processor can make progress. No step may be under way.
    //
    // out_error: gets CH_STALLED with the text, or a code that says it better.
    void (*explain_stall)(void* context, ch_error* out_error);

    // Ends the launch, also one that was cut off: then the orchestration is made to return first, or given up if it
    // does not. Afterwards nothing refers to the launch or its orchestration any more, but the stack of one that was
    // given up.
    void (*end)(void* context);

    // Destroys the context and closes the orchestrations.
    void (*destroy)(void* context);

    // Asks a launch to end early: nothing further is started, and threads are done when their cores have exited. Since
    // minor 1.
    //
    // Threads: any, during steps, also from inside the orchestration.
    void (*stop)(void* context);
} ch_aicpu_program;

// The AICore program.
//
// context: what `init` has made.
// Threads: one at a time for each context; different cores may run at the same time.
typedef struct ch_aicore_program {
    ch_abi_header header;  // of kind CH_ABI_AICORE_PROGRAM

    // Tells how large a context is. Each core has one.
    uint64_t (*context_bytes)(void);

    // Makes the context of a core for a launch.
    //
    // context: memory of the caller, which stays where it is until the launch has ended.
    // launch: borrowed until then.
    // core: number of the core in the launch.
    // core_type: its ch_core_type.
    // port: the platform's access to this core (platform/aicore.h); borrowed until the launch has ended.
    void (*init)(void* context, const ch_launch* launch, uint32_t core, uint32_t core_type, void* port);

    // Takes one step of the core.
    ch_step (*step)(void* context);
} ch_aicore_program;

// The function that a library with the AICPU program exports as CH_AICPU_PROGRAM_ENTRY.
//
// Returns: the table, constant data of the library.
// Threads: any.
typedef const ch_aicpu_program* (*ch_aicpu_program_entry)(void);

// The function that a library with the AICore program exports as CH_AICORE_PROGRAM_ENTRY.
//
// Returns: the table, constant data of the library.
// Threads: any.
typedef const ch_aicore_program* (*ch_aicore_program_entry)(void);

#ifdef __cplusplus
}
#endif
