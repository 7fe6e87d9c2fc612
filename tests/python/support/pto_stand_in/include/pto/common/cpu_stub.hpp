// SPDX-License-Identifier: Apache-2.0
//
// The words of a chip's compiler, and the questions to whoever simulates the chip.
#pragma once

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#define __gm__
#define __aicore__
#define AICORE

namespace pto::cpu_sim {

using GetExecutionContext = void (*)(uint32_t* block, uint32_t* sub_block, uint32_t* sub_blocks);
using GetSharedStorage = void* (*)(const char* key, size_t bytes);
using GetTaskCookie = uint64_t (*)();

template <typename Function>
Function hook_of(void* found) {
    return reinterpret_cast<Function>(found);
}
inline GetExecutionContext ResolveExecutionContextHook() {
    static auto hook = hook_of<GetExecutionContext>(dlsym(RTLD_DEFAULT, "pto_cpu_sim_get_execution_context"));
    return hook;
}
inline GetSharedStorage ResolveSharedStorageHook() {
    static auto hook = hook_of<GetSharedStorage>(dlsym(RTLD_DEFAULT, "pto_cpu_sim_get_shared_storage"));
    return hook;
}
inline GetTaskCookie ResolveTaskCookieHook() {
    static auto hook = hook_of<GetTaskCookie>(dlsym(RTLD_DEFAULT, "pto_cpu_sim_get_task_cookie"));
    return hook;
}
// Nobody has this one.
inline void* ResolveAnotherHook() {
    static auto hook = dlsym(RTLD_DEFAULT, "pto_cpu_sim_set_execution_context");
    return hook;
}

struct ExecutionContext {
    uint32_t block = 77, sub_block = 77, sub_blocks = 77;
};
inline ExecutionContext execution_context() {
    ExecutionContext context;
    if (auto hook = ResolveExecutionContextHook()) hook(&context.block, &context.sub_block, &context.sub_blocks);
    return context;
}

}  // namespace pto::cpu_sim

inline uint32_t get_block_idx() {
    return pto::cpu_sim::execution_context().block;
}
inline uint32_t get_subblockid() {
    return pto::cpu_sim::execution_context().sub_block;
}
inline uint32_t get_subblockdim() {
    return pto::cpu_sim::execution_context().sub_blocks;
}
inline uint64_t get_task_cookie() {
    auto hook = pto::cpu_sim::ResolveTaskCookieHook();
    return hook ? hook() : 77;
}
