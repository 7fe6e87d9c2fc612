// SPDX-License-Identifier: Apache-2.0
//
// What a run executes: one orchestration and the kernels it may submit.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CH_CALLABLE_FORMAT 1
#define CH_MAX_FUNC_ID 1023

typedef enum ch_core_type { CH_AIC = 0, CH_AIV = 1 } ch_core_type;

// Bytes of a program, with a key that is equal exactly if the bytes are. Borrowed from the callable.
typedef struct ch_binary {
    const void* data;
    size_t bytes;
    const char* key;   // content digest in hex; programs of equal key may share one loaded copy
    const char* name;  // for messages and debuggers, for example a source file's name
} ch_binary;

typedef struct ch_kernel {
    uint32_t func_id;    // 0..CH_MAX_FUNC_ID, unique in a callable
    uint32_t core_type;  // ch_core_type
    ch_binary binary;    // exports kernel_entry (see chiphost/kernel.h)
} ch_kernel;

// Immutable while any run uses it. Owned by the caller.
typedef struct ch_callable {
    uint32_t format;  // CH_CALLABLE_FORMAT
    uint32_t kernel_count;
    const char* key;  // digest over everything below, in hex
    ch_binary orchestration;
    const char* entry;  // name of the orchestration's function
    const ch_kernel* kernels;
} ch_callable;

#ifdef __cplusplus
}
#endif
