// SPDX-License-Identifier: Apache-2.0
//
// Answers for kernels that use PTO-ISA's simulation of the instructions. Its functions do not get the kernel's
// arguments, and ask a thread's variables or the loader which core they are on.
//
// Including this file puts a kernel_entry of its own before that of the source, which is called by another name.
#pragma once

#include <stdint.h>
#include <string.h>

#include "chiphost/kernel.h"
#include "chiphost/kernel_services.h"
#include "chiphost/require.h"

namespace chiphost::pto {

// The context of the kernel that this thread runs. A thread may run kernels of one library in turn, and a kernel may
// go on on another thread after it has paused; so it is written at the begin and after every pause, and only ever used
// through functions that look at the thread anew.
extern "C" __attribute__((visibility("hidden"), weak)) thread_local const KernelContext* chiphost_running_kernel =
    nullptr;

__attribute__((noinline)) inline const KernelContext& running_kernel() {
    asm volatile("");  // keeps the compiler from merging two calls
    require(chiphost_running_kernel, "a core was asked for on a thread that runs no kernel");
    return *chiphost_running_kernel;
}
__attribute__((noinline)) inline void set_running_kernel(const KernelContext* context) {
    asm volatile("");
    chiphost_running_kernel = context;
}

inline const KernelServices& services() {
    return *kernel_services(running_kernel());
}

// A core's own memory. Throws BadArgument if the chip has none of it.
struct Region {
    char* base;
    uint64_t bytes;
};
inline const char* name_of(LocalMemory which) {
    constexpr const char* names[local_memory_count] = {"UB", "L1", "L0A", "L0B", "L0C"};
    return names[static_cast<uint32_t>(which)];
}
inline Region region(LocalMemory which) {
    Region found{};
    const KernelServices& core = services();
    if (core.local_memory) found.base = static_cast<char*>(core.local_memory(&core, which, &found.bytes));
    require(found.base, "core %d has no %s: the chip's table (local_memory_bytes) gives it no size",
            running_kernel().core, name_of(which));
    return found;
}

// The address of `bytes` bytes from `offset` on, all of which must lie in the memory.
inline char* address_in(LocalMemory which, const Region& region, uint64_t offset, uint64_t bytes) {
    require(offset <= region.bytes && bytes <= region.bytes - offset,
            "TASSIGN: %llu bytes at 0x%llx of %s, which has 0x%llx bytes", static_cast<unsigned long long>(bytes),
            static_cast<unsigned long long>(offset), name_of(which), static_cast<unsigned long long>(region.bytes));
    return region.base + offset;
}

// The functions that PTO-ISA would ask the loader for.
inline void get_execution_context(uint32_t* block, uint32_t* sub_block, uint32_t* sub_blocks) {
    const KernelContext& context = running_kernel();
    *block = static_cast<uint32_t>(context.block_idx);
    *sub_block = static_cast<uint32_t>(context.sub_block_id);
    *sub_blocks = context.core_type == 1 ? 2 : 1;  // an AIV is one of two
}
inline uint32_t get_sub_block_id() {
    return static_cast<uint32_t>(running_kernel().sub_block_id);
}
inline uint64_t get_task_cookie() {
    return static_cast<uint64_t>(running_kernel().task);
}
inline void* get_shared_storage(const char* key, size_t bytes) {
    const KernelServices& core = services();
    require(core.shared_memory, "this platform has no memory that kernels share, which TPUSH and TPOP need");
    return core.shared_memory(&core, key, bytes);
}

// The function of that name, nullptr if it is none of these. Nobody asks the loader: it would have to look through all
// that is loaded, and in a namespace a look that finds nothing can make a later dlclose wait for ever.
inline void* hook(const char* name) {
    const auto is = [&](const char* known) { return strcmp(name, known) == 0; };
    if (is("pto_cpu_sim_get_execution_context")) return reinterpret_cast<void*>(&get_execution_context);
    if (is("pto_cpu_sim_get_shared_storage")) return reinterpret_cast<void*>(&get_shared_storage);
    if (is("pto_cpu_sim_get_task_cookie")) return reinterpret_cast<void*>(&get_task_cookie);
    if (is("pto_sim_get_subblock_id")) return reinterpret_cast<void*>(&get_sub_block_id);
    return nullptr;
}

}  // namespace chiphost::pto

extern "C" {

__attribute__((visibility("hidden"), weak)) void chiphost_kernel_resumed(const chiphost::KernelContext* context) {
    chiphost::pto::set_running_kernel(context);
}

// The name that the source's kernel_entry has from here on.
__attribute__((visibility("hidden"))) void chiphost_pto_kernel_entry(__gm__ int64_t* args);

__attribute__((visibility("default"), weak)) void kernel_entry(__gm__ int64_t* args) {
    chiphost::pto::set_running_kernel(&chiphost::kernel_context(args));
    chiphost_pto_kernel_entry(args);
}
}
#define kernel_entry chiphost_pto_kernel_entry
