// SPDX-License-Identifier: Apache-2.0
//
// What a simulated core offers the kernel that runs on it: KernelContext::services. A chip offers nothing of this,
// there the field is 0.
#pragma once

#include <stdint.h>

#include "kernel.h"

#ifdef __CCE_AICORE__
#error "kernel_services.h is for simulated chips"
#endif

extern "C" {
// A kernel that exports this gets a stack of its own, so that it can pause. It is exported if something that is
// compiled with the kernel uses it, as pause_kernel does.
__attribute__((visibility("default"))) inline const char chiphost_kernel_hands_over = 1;

// For who keeps what belongs to the running kernel in a variable of its thread: called after a pause, from which a
// kernel may return on another thread, and after other kernels have used this one's library.
__attribute__((visibility("hidden"), weak)) void chiphost_kernel_resumed(const chiphost::KernelContext* context);
}

namespace chiphost {

// All functions are for the core's kernel only. Addresses are valid until it returns. The last two are nullptr on
// platforms that have neither.
struct KernelServices {
    // Returns when another core of the cluster has called notify. Only for a kernel that hands over, see above. Throws
    // what is no std::exception if the run is over: it must not be caught for good.
    void (*pause)(const KernelServices* self);
    // Something has changed that the other cores of the cluster may wait for.
    void (*notify)(const KernelServices* self);

    // The core's own memory of a kind, and its size; aligned to 4,096 bytes. nullptr and 0 if the chip's table does not
    // say how large it is. It is zero when a run begins; kernels on this core find what those before them have written.
    void* (*local_memory)(const KernelServices* self, LocalMemory which, uint64_t* out_bytes);

    // Memory of `bytes` under a name, aligned to 64 bytes: the same for all cores that run this block of this task, and
    // zero at first. Throws a std::exception if it was asked for with another size before, or there is no memory.
    void* (*shared_memory)(const KernelServices* self, const char* name, uint64_t bytes);
};

// nullptr on a chip.
inline const KernelServices* kernel_services(const KernelContext& context) {
    return reinterpret_cast<const KernelServices*>(context.services);
}

// Pauses the kernel until another core of the cluster has called notify_cluster.
inline void pause_kernel(const KernelContext& context) {
    asm volatile("" ::"r"(&chiphost_kernel_hands_over));
    const KernelServices* const services = kernel_services(context);
    services->pause(services);
    if (chiphost_kernel_resumed) chiphost_kernel_resumed(&context);
}
inline void notify_cluster(const KernelContext& context) {
    const KernelServices* const services = kernel_services(context);
    services->notify(services);
}

}  // namespace chiphost
