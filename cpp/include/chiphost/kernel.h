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
// first and scalars after them runs in every runtime. A kernel keeps nothing between calls, and may run on several
// cores at once.
//
// Ownership: arguments and context belong to the core and are valid until kernel_entry returns.
// Threads: the core's; the functions look at the arguments alone.
// Errors: none; a wrong index is not noticed. A kernel itself may throw only on the simulated chip, where the exception
// becomes the run's error.
#pragma once

#include <stdint.h>
#include <string.h>

#include "abi/device_tensor.h"

#ifndef __gm__
// Qualifies what is in device memory, for the chip's own compiler. It is empty on the simulated chip, and left out in
// what follows.
#define __gm__
#endif
#ifndef __aicore__
// Qualifies functions that run on a core, for the chip's own compiler. It is empty on the simulated chip, and left out
// in what follows.
#define __aicore__
#endif

namespace chiphost {

// The memories that every core has for itself, as the chip's manual calls them.
enum class LocalMemory : uint32_t {
    ub = 0,   // UB, the unified buffer: of an AIV
    l1 = 1,   // L1: of an AIC
    l0a = 2,  // L0A: of an AIC, for the left matrix
    l0b = 3,  // L0B: of an AIC, for the right matrix
    l0c = 4,  // L0C: of an AIC, for the product
};
constexpr uint32_t local_memory_count = 5;  // the number of kinds

// Tells a kernel where it runs. The executor writes it for every call.
struct KernelContext {
    int32_t block_idx;     // which block of the task this is: 0..block_num-1
    int32_t block_num;     // blocks of the task
    int16_t sub_block_id;  // 0 or 1: first or second AIV of the cluster; 0 on an AIC
    int16_t core_type;     // ch_core_type
    int32_t core;          // core number, for messages
    uint64_t hand_over;    // the cluster's hand-over area (hand_over.h), 0: the callable has no kernel that uses it
    uint64_t services;     // what a simulated core offers (kernel_services.h), 0 on a chip
    int64_t task;  // id of the task: ring << 32 | number in the ring; other blocks and cores of it have the same
};

// Gives the context of a call. The executor keeps a pointer to it in the word before the first argument.
//
// args: what kernel_entry was given.
__aicore__ inline const __gm__ KernelContext& kernel_context(const __gm__ int64_t* args) {
    return *reinterpret_cast<const __gm__ KernelContext*>(args[-1]);
}

// Tells which block of the task this is: 0 to the number of blocks minus 1.
//
// args: what kernel_entry was given.
__aicore__ inline int32_t get_block_idx(const __gm__ int64_t* args) {
    return kernel_context(args).block_idx;
}
// Tells how many blocks the task has.
//
// args: what kernel_entry was given.
__aicore__ inline int32_t get_block_num(const __gm__ int64_t* args) {
    return kernel_context(args).block_num;
}
// Tells which AIV of its cluster this is: 0 or 1; 0 on an AIC.
//
// args: what kernel_entry was given.
__aicore__ inline int32_t get_sub_block_id(const __gm__ int64_t* args) {
    return kernel_context(args).sub_block_id;
}

// Gives an argument as an address in device memory.
//
// T: what is there.
// args: what kernel_entry was given.
// index: number of the argument.
template <typename T>
__aicore__ inline __gm__ T* pointer_arg(const __gm__ int64_t* args, int index) {
    return reinterpret_cast<__gm__ T*>(args[index]);
}

// Gives an argument as a scalar: the low bytes of the word.
//
// T: its type, of at most 8 bytes.
// args: what kernel_entry was given.
// index: number of the argument.
template <typename T>
__aicore__ inline T scalar_arg(const __gm__ int64_t* args, int index) {
    static_assert(sizeof(T) <= sizeof(int64_t), "a scalar argument has at most 8 bytes");
    T value;
    memcpy(&value, &args[index], sizeof(T));  // little-endian: the low bytes come first
    return value;
}

// Gives an argument as a tensor. Its strides are in elements.
//
// args: what kernel_entry was given.
// index: number of the argument.
__aicore__ inline const __gm__ ch_device_tensor& tensor_arg(const __gm__ int64_t* args, int index) {
    return *reinterpret_cast<const __gm__ ch_device_tensor*>(args[index]);
}

// Gives the first element of a tensor; tensor_arg() tells its shape and strides.
//
// T: the type of the elements.
// args: what kernel_entry was given.
// index: number of the argument.
template <typename T>
__aicore__ inline __gm__ T* tensor_data(const __gm__ int64_t* args, int index) {
    return reinterpret_cast<__gm__ T*>(tensor_arg(args, index).address);
}

}  // namespace chiphost
