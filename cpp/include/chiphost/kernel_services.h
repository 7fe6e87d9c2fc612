// SPDX-License-Identifier: Apache-2.0
//
// A simulated core offers this to the kernel that runs on it: KernelContext::services. A chip offers nothing of this;
// there the field is 0.
//
// Threads: the one that runs the kernel.
// Ownership: addresses are the core's, and valid until the kernel returns.
#pragma once

#include <stdint.h>

#include "kernel.h"

#ifdef __CCE_AICORE__
#error "kernel_services.h is for simulated chips"
#endif

extern "C" {
// A kernel that exports this symbol gets a stack of its own, so that it can pause. It is exported if something that is
// compiled with the kernel uses it, as pause_kernel does.
__attribute__((visibility("default"))) inline const char chiphost_kernel_hands_over = 1;

// A function that a kernel may define: it is called after a pause, from which a kernel may return on another thread,
// and after other kernels have used this one's library. Code that keeps what belongs to the running kernel in a
// variable of its thread sets that again.
//
// context: of the kernel that goes on.
// Errors: none.
__attribute__((visibility("hidden"), weak)) void chiphost_kernel_resumed(const chiphost::KernelContext* context);
}

namespace chiphost {

// The functions that a core offers its kernel.
struct KernelServices {
    // Returns when another core of the cluster has called `notify`. Only a kernel that exports
    // `chiphost_kernel_hands_over` may call it.
    //
    // self: this table.
    // Errors: if the run is over, it throws what is no std::exception, and must not be caught for good.
    void (*pause)(const KernelServices* self);
    // Tells the other cores of the cluster that something has changed for which they may wait.
    //
    // self: this table.
    // Errors: none.
    void (*notify)(const KernelServices* self);

    // Gives the core's own memory of a kind. It is zero when a run begins; kernels on this core find what those before
    // them have written. The function is nullptr on platforms that have no such memory.
    //
    // self: this table.
    // which: the kind.
    // out_bytes: gets its size.
    // Returns: its address, aligned to 4,096 bytes; nullptr, and 0 bytes, if the chip's table does not say how large it
    // is.
    // Errors: none.
    void* (*local_memory)(const KernelServices* self, LocalMemory which, uint64_t* out_bytes);

    // Gives memory under a name: the same for all cores that run this block of this task, and zero at first. The
    // function is nullptr on platforms that have no such memory.
    //
    // self: this table.
    // name: NUL-terminated, borrowed for the call.
    // bytes: its size.
    // Returns: its address, aligned to 64 bytes.
    // Errors: throws a std::exception if it was asked for with another size before, or there is no memory.
    void* (*shared_memory)(const KernelServices* self, const char* name, uint64_t bytes);

    // Says which cores of the cluster the kernel waits for at its next pause. Only messages about kernels that wait for
    // ever make use of it. The function is nullptr on platforms that do not.
    //
    // self: this table.
    // cores: a bit for each core: 1 for the AIC, 2 and 4 for the two AIVs.
    // Errors: none.
    void (*waits_for)(const KernelServices* self, uint32_t cores);
};

// Gives the services of a core.
//
// context: of the running kernel.
// Returns: nullptr on a chip.
// Errors: none.
inline const KernelServices* kernel_services(const KernelContext& context) {
    return reinterpret_cast<const KernelServices*>(context.services);
}

// Pauses the kernel until another core of the cluster has called notify_cluster.
//
// context: of the running kernel.
// Errors: as KernelServices::pause.
inline void pause_kernel(const KernelContext& context) {
    asm volatile("" ::"r"(&chiphost_kernel_hands_over));
    const KernelServices* const services = kernel_services(context);
    services->pause(services);
    if (chiphost_kernel_resumed) chiphost_kernel_resumed(&context);
}

// Pauses the kernel like the function above, and says for which cores: if the wait never ends, the error names these.
//
// context: of the running kernel.
// cores: a bit for each core of the cluster: 1 for the AIC, 2 and 4 for the two AIVs.
// Errors: as KernelServices::pause.
inline void pause_kernel(const KernelContext& context, uint32_t cores) {
    const KernelServices* const services = kernel_services(context);
    if (services->waits_for) services->waits_for(services, cores);
    pause_kernel(context);
}

// Tells the other cores of the cluster that something has changed for which they may wait.
//
// context: of the running kernel.
// Errors: none.
inline void notify_cluster(const KernelContext& context) {
    const KernelServices* const services = kernel_services(context);
    services->notify(services);
}

}  // namespace chiphost
