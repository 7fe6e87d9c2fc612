// SPDX-License-Identifier: Apache-2.0
//
// A call of a C function whose signature is known at run time only: its arguments where the processor's calling
// convention wants them. Made by the caller (isolate/call_arguments.h), carried out by the anchor next to the function.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CH_FRAME_INTEGERS 8      // registers for integers and pointers: x86-64 has 6, AArch64 8
#define CH_FRAME_FLOATS 8        // registers for floating-point numbers
#define CH_FRAME_STACK_WORDS 64  // most arguments that find no register
#define CH_EXCEPTION_BYTES 512   // of ch_call_outcome::exception

// The register in which the function leaves its result.
typedef enum ch_result_class {
    CH_RESULT_INTEGER = 0,  // integers, bool, pointers; also of a function without a result
    CH_RESULT_FLOAT32 = 1,  // float
    CH_RESULT_FLOAT64 = 2,  // double
} ch_result_class;

// A function and its arguments.
//
// Ownership: the caller's; what arguments point to must live until the call has returned.
typedef struct ch_call_frame {
    void* function;                        // its address
    uint32_t result_class;                 // ch_result_class
    uint32_t stack_count;                  // words of `stack` in use
    uint64_t integers[CH_FRAME_INTEGERS];  // small integers extended to 64 bits
    uint64_t floats[CH_FRAME_FLOATS];      // bits; a float32 in the low half
    uint64_t stack[CH_FRAME_STACK_WORDS];  // in the order of the declaration
} ch_call_frame;

// The outcome of a call.
typedef struct ch_call_outcome {
    // The result's bits: a float32 in the low half. Of integers below 64 bits only the low bits mean something.
    uint64_t word;
    char exception[CH_EXCEPTION_BYTES];  // what() of the exception that came out, NUL-terminated
} ch_call_outcome;

#ifdef __cplusplus
}
#endif
