// SPDX-License-Identifier: Apache-2.0
//
// Error codes and the plain record in which one program tells another what went wrong.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// 0 is success; every other value is a row of errors.def, such as CH_LOAD_REFUSED for the row LOAD_REFUSED.
typedef enum ch_code {
    CH_OK = 0,  // success
#define CH_ERROR(code, name, python_class, meaning, remedy) CH_##name = code,
#include "errors.def"
} ch_code;

#define CH_ERROR_WHERE_BYTES 256     // of ch_error::where
#define CH_ERROR_MESSAGE_BYTES 2048  // of ch_error::message

// The record in which a function says what went wrong. It is plain data only, so that it may cross from one linker
// namespace to another.
//
// Ownership: the caller owns the record and zeroes it; the callee fills it when it returns a code other than CH_OK.
typedef struct ch_error {
    int32_t code;                          // ch_code
    int32_t detail_code;                   // the orchestration's or the platform's own code; 0 when there is none
    int64_t task;                          // task id, -1 when no task is to blame
    int32_t core;                          // core number, -1 when no core is to blame
    int32_t func_id;                       // kernel, -1 when no kernel is to blame
    char where[CH_ERROR_WHERE_BYTES];      // the place: a file, a function, an argument; NUL-terminated
    char message[CH_ERROR_MESSAGE_BYTES];  // what happened, with the values; NUL-terminated
} ch_error;

#ifdef __cplusplus
}

static_assert(sizeof(ch_error) == 24 + CH_ERROR_WHERE_BYTES + CH_ERROR_MESSAGE_BYTES, "ch_error is part of the ABI");
#endif
