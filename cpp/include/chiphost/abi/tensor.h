// SPDX-License-Identifier: Apache-2.0
//
// Data types, tensors and the arguments of a run, as they cross between programs.
//
// Threads: any; the functions change nothing.
// Errors: none.
// Ownership: arguments are borrowed for the call.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Element types: the macro that is given is used once for each, as CH_DTYPE(number, NAME, bytes, numpy_name). The
// numbers 0 to 8 are those of simpler's DataType.
#define CH_DTYPE_TABLE(CH_DTYPE)                    \
    CH_DTYPE(0, FLOAT32, 4, "float32")              \
    CH_DTYPE(1, FLOAT16, 2, "float16")              \
    CH_DTYPE(2, INT32, 4, "int32")                  \
    CH_DTYPE(3, INT16, 2, "int16")                  \
    CH_DTYPE(4, INT8, 1, "int8")                    \
    CH_DTYPE(5, UINT8, 1, "uint8")                  \
    CH_DTYPE(6, BFLOAT16, 2, "bfloat16")            \
    CH_DTYPE(7, INT64, 8, "int64")                  \
    CH_DTYPE(8, UINT64, 8, "uint64")                \
    CH_DTYPE(9, UINT16, 2, "uint16")                \
    CH_DTYPE(10, UINT32, 4, "uint32")               \
    CH_DTYPE(11, BOOL, 1, "bool")                   \
    CH_DTYPE(12, FLOAT64, 8, "float64")             \
    CH_DTYPE(13, FLOAT8_E4M3FN, 1, "float8_e4m3fn") \
    CH_DTYPE(14, FLOAT8_E5M2, 1, "float8_e5m2")

// An element type: one for each row of CH_DTYPE_TABLE, such as CH_FLOAT32.
typedef enum ch_dtype {
#define CH_DTYPE(number, name, bytes, numpy_name) CH_##name = number,
    CH_DTYPE_TABLE(CH_DTYPE)
#undef CH_DTYPE
        CH_DTYPE_COUNT  // the number of types
} ch_dtype;

// Gives the bytes of one element.
//
// dtype: a ch_dtype.
// Returns: 0 for a number that is no dtype.
static inline uint32_t ch_dtype_bytes(uint32_t dtype) {
    switch (dtype) {
#define CH_DTYPE(number, name, bytes, numpy_name) \
    case number:                                  \
        return bytes;
        CH_DTYPE_TABLE(CH_DTYPE)
#undef CH_DTYPE
        default:
            return 0;
    }
}

#define CH_MAX_DIMS 5  // most dimensions of a tensor

// The ways in which a run may use an argument.
typedef enum ch_access {
    CH_ACCESS_UNKNOWN = 0,  // the callable has no signature, so both ways are allowed
    CH_IN = 1,              // the run reads it
    CH_OUT = 2,             // the run writes it, whatever it held before
    CH_INOUT = 3,           // the run reads and writes it
} ch_access;

// A C-contiguous array in host memory.
//
// Ownership: borrowed; the caller keeps the array alive until the run has returned.
typedef struct ch_tensor {
    uint64_t data;                // host address of element 0
    uint32_t shape[CH_MAX_DIMS];  // elements, outermost first; entries from ndims on are 0
    uint32_t ndims;               // 0 (one element) to CH_MAX_DIMS
    uint8_t dtype;                // ch_dtype
    uint8_t access;               // ch_access
    uint8_t reserved[6];          // 0
} ch_tensor;

// The arguments of one run, tensors and scalars counted apart. Scalars are 64-bit words: integers in two's complement,
// float32 bits zero-extended, float64 bits.
typedef struct ch_task_args {
    const ch_tensor* tensors;  // borrowed for the run, as what it points to
    const uint64_t* scalars;   // borrowed for the run
    uint32_t tensor_count;     // entries of `tensors`
    uint32_t scalar_count;     // entries of `scalars`
} ch_task_args;

// Gives the number of elements of an array.
//
// shape: lengths of the dimensions, in elements; `ndims` of them.
// Returns: 0 if a length is 0, whatever the others are; UINT64_MAX if there are more elements than that.
static inline uint64_t ch_shape_elements(const uint32_t* shape, uint32_t ndims) {
    for (uint32_t dim = 0; dim < ndims; ++dim) {
        if (shape[dim] == 0) return 0;
    }
    uint64_t elements = 1;
    for (uint32_t dim = 0; dim < ndims; ++dim) {
        if (elements > UINT64_MAX / shape[dim]) return UINT64_MAX;
        elements *= shape[dim];
    }
    return elements;
}

// Gives the bytes of an array.
//
// shape: lengths of the dimensions, in elements; `ndims` of them.
// dtype: a ch_dtype.
// Returns: UINT64_MAX if there are more bytes than that.
static inline uint64_t ch_shape_bytes(const uint32_t* shape, uint32_t ndims, uint32_t dtype) {
    const uint64_t elements = ch_shape_elements(shape, ndims);
    const uint64_t element_bytes = ch_dtype_bytes(dtype);
    return element_bytes != 0 && elements > UINT64_MAX / element_bytes ? UINT64_MAX : elements * element_bytes;
}

// Gives the number of elements of a tensor, as ch_shape_elements does.
static inline uint64_t ch_tensor_elements(const ch_tensor* tensor) {
    return ch_shape_elements(tensor->shape, tensor->ndims);
}

// Gives the bytes of a tensor, as ch_shape_bytes does.
static inline uint64_t ch_tensor_bytes(const ch_tensor* tensor) {
    return ch_shape_bytes(tensor->shape, tensor->ndims, tensor->dtype);
}

#ifdef __cplusplus
}
static_assert(sizeof(ch_tensor) == 40, "ch_tensor is part of the ABI");
#endif
