// SPDX-License-Identifier: Apache-2.0
//
// For kernels: the functions that run on a chip's cores.
//
// A kernel is one source file with one entry point,
//
//     extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args)
//
// args[i] is the i-th argument of the task: a device address, or a scalar as a 64-bit word. The array belongs to the
// core and is valid until kernel_entry returns. A kernel keeps nothing between calls, may run on several cores at once,
// and may throw only on the simulated chip, where the exception becomes the run's error.
#pragma once

#include <stdint.h>
#include <string.h>

// Qualifiers of the chip's own compiler; empty on the simulated chip.
#ifndef __gm__
#define __gm__
#endif
#ifndef __aicore__
#define __aicore__
#endif

namespace chiphost {

// Where a kernel runs. Written by the executor for every call.
struct KernelContext {
    int32_t block_idx;     // which block of the task this is: 0..block_num-1
    int32_t block_num;     // blocks of the task
    int32_t sub_block_id;  // 0 or 1: first or second AIV of the cluster; 0 on an AIC
    int32_t core;          // core number, for messages
};

// The executor keeps a pointer to the context in the word before the first argument.
__aicore__ inline const __gm__ KernelContext& kernel_context(const __gm__ int64_t* args) {
    return *reinterpret_cast<const __gm__ KernelContext*>(args[-1]);
}

__aicore__ inline int32_t get_block_idx(const __gm__ int64_t* args) {
    return kernel_context(args).block_idx;
}
__aicore__ inline int32_t get_block_num(const __gm__ int64_t* args) {
    return kernel_context(args).block_num;
}
__aicore__ inline int32_t get_sub_block_id(const __gm__ int64_t* args) {
    return kernel_context(args).sub_block_id;
}

// Argument `index` as an address of T in device memory.
template <typename T>
__aicore__ inline __gm__ T* pointer_arg(const __gm__ int64_t* args, int index) {
    return reinterpret_cast<__gm__ T*>(args[index]);
}

// Argument `index` as a scalar: the low bytes of the word.
template <typename T>
__aicore__ inline T scalar_arg(const __gm__ int64_t* args, int index) {
    static_assert(sizeof(T) <= sizeof(int64_t), "a scalar argument has at most 8 bytes");
    T value;
    memcpy(&value, &args[index], sizeof(T));  // little-endian: the low bytes come first
    return value;
}

}  // namespace chiphost
