// SPDX-License-Identifier: Apache-2.0
//
// The two programs that run on the device, and what the host leaves in device memory for them.
//
// Both are written as step functions: a step does what can be done now and says whether to come again. On a chip a
// plain loop drives them; the simulated chip drives all of them from one thread or several. On a chip the AICPU program
// is started with the address of the launch record; on the simulated chip it is a library with the tables below.
#pragma once

#include "callable.h"
#include "error.h"
#include "header.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CH_DEVICE_PROGRAM_MAJOR 4
#define CH_DEVICE_PROGRAM_MINOR 0
#define CH_AICPU_PROGRAM_ENTRY "chiphost_aicpu_program"
#define CH_AICORE_PROGRAM_ENTRY "chiphost_aicore_program"

typedef enum ch_step {
    CH_STEP_IDLE = 0,    // nothing to do until a register that this processor watches is written
    CH_STEP_POLL = 1,    // nothing to do, but what it waits for is in memory: come again
    CH_STEP_WORKED = 2,  // did something; come again
    CH_STEP_DONE = 3,    // finished; do not come again
} ch_step;

#define CH_LAUNCH_FORMAT 4

// What the device reports to the host. Whoever finds the first fault changes error.code from CH_OK by compare-and-swap
// and writes the rest of the error, which is valid once `complete` is 1. The host clears everything before a launch but
// the error's texts.
typedef struct ch_launch_status {
    int32_t complete;
    int32_t reserved;
    uint64_t tasks_done;
    ch_error error;
} ch_launch_status;

// In device memory. Addresses are device addresses.
typedef struct ch_launch {
    uint32_t format;     // CH_LAUNCH_FORMAT
    uint32_t block_dim;  // clusters; cores 0..block_dim-1 are AIC, then 2*block_dim AIV
    uint32_t aicpu_thread_count;
    uint32_t kernel_count;  // entries of the kernel table
    uint64_t graph;         // graph::Image
    uint64_t kernels;       // uint64_t address for each func_id, 0: none
    uint64_t handshakes;    // core_protocol::Handshake for each core
    uint64_t payloads;      // core_protocol::Payload, two for each core
    uint64_t status;        // ch_launch_status
    uint64_t hand_over;     // HandOverArea (hand_over.h) for each cluster, 0: no kernel uses it
} ch_launch;

// The AICPU program. `port` is the platform's access to the chip for one thread (platform/aicpu.h).
typedef struct ch_aicpu_program {
    ch_abi_header header;

    // Bytes of the context, to be allocated with an alignment of 64.
    uint64_t (*context_bytes)(void);

    // Makes the context. It keeps what launches have in common: loaded orchestrations.
    void (*create)(void* context);

    // Begins a launch; both arguments are borrowed until end(). Called before any step of it.
    void (*begin)(void* context, const ch_launch* launch, void* const* ports);

    // One step of one thread. Different threads may step at the same time.
    ch_step (*step)(void* context, uint32_t thread);

    // Fills the error that says what is waiting for what, when no processor can make progress: with CH_STALLED, or with
    // a code that says it better. No step may be under way.
    void (*explain_stall)(void* context, ch_error* out_error);

    // Ends the launch, also one that was cut off: then the orchestration is made to return first, or given up if it
    // does not. Afterwards nothing refers to the launch or its orchestration any more, but the stack of one that was
    // given up.
    void (*end)(void* context);

    // Destroys the context and closes the orchestrations.
    void (*destroy)(void* context);

    // Since minor 1. Asks a launch to end early: nothing further is started, and threads are done when their cores have
    // exited. May be called from any thread during steps, also from inside the orchestration.
    void (*stop)(void* context);
} ch_aicpu_program;

// The AICore program. `port` is the platform's access to one core (platform/aicore.h).
typedef struct ch_aicore_program {
    ch_abi_header header;
    uint64_t (*context_bytes)(void);
    void (*init)(void* context, const ch_launch* launch, uint32_t core, uint32_t core_type, void* port);
    ch_step (*step)(void* context);
} ch_aicore_program;

typedef const ch_aicpu_program* (*ch_aicpu_program_entry)(void);
typedef const ch_aicore_program* (*ch_aicore_program_entry)(void);

#ifdef __cplusplus
}
#endif
