// SPDX-License-Identifier: Apache-2.0
//
// A callable is what a run executes: one orchestration and the kernels it may submit.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CH_CALLABLE_FORMAT 1  // what ch_callable::format is
#define CH_MAX_FUNC_ID 1023   // the highest func_id

// The type of a core.
typedef enum ch_core_type {
    CH_AIC = 0,  // for matrices; a cluster has one
    CH_AIV = 1,  // for vectors; a cluster has two
} ch_core_type;

// The bytes of a program, with a key that is equal exactly if the bytes are.
//
// Ownership: all of it is borrowed from the callable.
typedef struct ch_binary {
    const void* data;  // the first byte
    size_t bytes;      // how many
    const char* key;   // content digest in hex; programs of equal key may share one loaded copy
    const char* name;  // for messages and debuggers, for example a source file's name
} ch_binary;

// A function that runs on a core.
typedef struct ch_kernel {
    uint32_t func_id;    // 0..CH_MAX_FUNC_ID, unique in a callable
    uint32_t core_type;  // ch_core_type
    ch_binary binary;    // exports kernel_entry (see chiphost/kernel.h)
} ch_kernel;

// An orchestration and its kernels. It does not change while any run uses it.
//
// Ownership: the caller's, with everything in it.
typedef struct ch_callable {
    uint32_t format;           // CH_CALLABLE_FORMAT
    uint32_t kernel_count;     // entries of `kernels`
    const char* key;           // digest over everything below, in hex
    ch_binary orchestration;   // a shared library
    const char* entry;         // name of the orchestration's function
    const ch_kernel* kernels;  // those that the orchestration may submit
} ch_callable;

#ifdef __cplusplus
}
#endif
