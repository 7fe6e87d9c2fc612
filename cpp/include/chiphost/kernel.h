// SPDX-License-Identifier: Apache-2.0
//
// For kernels: the functions that run on a chip's cores.
//
// A kernel is one source file with one entry point,
//
//     extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args)
//
// args[i] is the i-th argument of the task: for a tensor the address of its ch_device_tensor, for a scalar its 64-bit
// word, and for a DevicePointer, which only host_build_graph has, that device address. So a kernel that takes tensors
// first and scalars after them runs in every runtime. The array belongs to the core and is valid until kernel_entry
// returns. A kernel keeps nothing between calls, may run on several cores at once, and may
// throw only on the simulated chip, where the exception becomes the run's error.
#pragma once

#include <stdint.h>
#include <string.h>

#include "abi/device_tensor.h"

// Qualifiers of the chip's own compiler; empty on the simulated chip.
#ifndef __gm__
#define __gm__
#endif
#ifndef __aicore__
#define __aicore__
#endif

namespace chiphost {

// The memories that every core has for itself, as the chip's manual calls them.
enum class LocalMemory : uint32_t { ub = 0, l1 = 1, l0a = 2, l0b = 3, l0c = 4 };
constexpr uint32_t local_memory_count = 5;

// Where a kernel runs. Written by the executor for every call.
struct KernelContext {
    int32_t block_idx;     // which block of the task this is: 0..block_num-1
    int32_t block_num;     // blocks of the task
    int16_t sub_block_id;  // 0 or 1: first or second AIV of the cluster; 0 on an AIC
    int16_t core_type;     // ch_core_type
    int32_t core;          // core number, for messages
    uint64_t hand_over;    // the cluster's hand-over area (hand_over.h), 0: the callable has no kernel that uses it
    uint64_t services;     // what a simulated core offers (kernel_services.h), 0 on a chip
    int64_t task;  // id of the task: ring << 32 | number in the ring. Other blocks and cores of it have the same
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

// Argument `index` as a tensor.
__aicore__ inline const __gm__ ch_device_tensor& tensor_arg(const __gm__ int64_t* args, int index) {
    return *reinterpret_cast<const __gm__ ch_device_tensor*>(args[index]);
}

// First element of the tensor that is argument `index`. Strides are in tensor_arg(args, index).stride, in elements.
template <typename T>
__aicore__ inline __gm__ T* tensor_data(const __gm__ int64_t* args, int index) {
    return reinterpret_cast<__gm__ T*>(tensor_arg(args, index).address);
}

}  // namespace chiphost
