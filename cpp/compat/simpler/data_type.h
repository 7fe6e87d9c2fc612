// SPDX-License-Identifier: Apache-2.0
//
// For sources that were written for the project simpler: element types, and numbers as 64-bit words.
#pragma once

#include <stdint.h>
#include <string.h>

#include "chiphost/abi/tensor.h"

// The numbers are those of ch_dtype.
enum class DataType : uint8_t {
    FLOAT32 = CH_FLOAT32,
    FLOAT16 = CH_FLOAT16,
    INT32 = CH_INT32,
    INT16 = CH_INT16,
    INT8 = CH_INT8,
    UINT8 = CH_UINT8,
    BFLOAT16 = CH_BFLOAT16,
    INT64 = CH_INT64,
    UINT64 = CH_UINT64,
    DATA_TYPE_NUM,
};

// Bytes of an element; 0 if there is no such type.
inline uint64_t get_element_size(DataType dtype) {
    return dtype < DataType::DATA_TYPE_NUM ? ch_dtype_bytes(static_cast<uint32_t>(dtype)) : 0;
}

// A value as a word that holds its bits; the other bytes are 0. int32_t{-1} gives 0x00000000ffffffff.
template <typename T>
inline uint64_t to_u64(T value) {
    static_assert(sizeof(T) <= sizeof(uint64_t), "a value of at most 8 bytes");
    uint64_t word = 0;
    memcpy(&word, &value, sizeof(T));  // little-endian
    return word;
}

// The value in the low bytes of a word.
template <typename T>
inline T from_u64(uint64_t word) {
    static_assert(sizeof(T) <= sizeof(uint64_t), "a value of at most 8 bytes");
    T value;
    memcpy(&value, &word, sizeof(T));
    return value;
}
