// SPDX-License-Identifier: Apache-2.0
#include "core_services.h"

#include <dlfcn.h>
#include <unwind.h>

#include "chiphost/require.h"

namespace chiphost::platform {

namespace {

// A kernel's wait throws this when the launch is over. It is no std::exception, so that a handler of those does not end
// it.
class LaunchOver {};

// The frames of a kernel above a function of this library, as far as they are of one library.
struct WaitWalk {
    const CoreServices* services;
    const void* own;     // this library
    const void* kernel;  // that of the kernel, once a frame of it was seen
};

_Unwind_Reason_Code visit_frame(_Unwind_Context* context, void* argument) {
    auto& walk = *static_cast<WaitWalk*>(argument);
    const auto address = reinterpret_cast<uint64_t>(_Unwind_GetIP(context));
    Dl_info info;
    if (address == 0 || dladdr(reinterpret_cast<void*>(address), &info) == 0) return _URC_END_OF_STACK;
    if (!walk.kernel && info.dli_fbase == walk.own) return _URC_NO_REASON;
    if (walk.kernel && info.dli_fbase != walk.kernel) return _URC_END_OF_STACK;
    walk.kernel = info.dli_fbase;
    const CoreServices& services = *walk.services;
    services.waits_at[services.wait_depth++] = address - reinterpret_cast<uint64_t>(info.dli_fbase);
    return services.wait_depth < CoreServices::depth_max ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// Notes where in its code the kernel waits.
void note_wait(const CoreServices& services) {
    Dl_info own;
    if (dladdr(reinterpret_cast<const void*>(&core_services), &own) == 0) return;
    services.wait_depth = 0;
    WaitWalk walk{&services, own.dli_fbase, nullptr};
    _Unwind_Backtrace(visit_frame, &walk);
}

}  // namespace

const KernelServices core_services = {
    [](const KernelServices* services) {
        const auto& self = *static_cast<const CoreServices*>(services);
        require(self.fiber,
                "this kernel waits for another core, but its library does not export chiphost_kernel_hands_over");
        self.fiber->pause();
        self.waited_for = 0;
    },
    [](const KernelServices* services) {
        const auto& self = *static_cast<const CoreServices*>(services);
        self.hooks->handed_over(self.hooks->engine, self.core);
    },
    [](const KernelServices* services, LocalMemory which, uint64_t* out_bytes) {
        return static_cast<const CoreServices*>(services)->own->at(which, out_bytes);
    },
    [](const KernelServices* services, const char* name, uint64_t bytes) {
        const auto& self = *static_cast<const CoreServices*>(services);
        const KernelContext& context = self.payload->context;
        const bool has_cluster = (self.payload->cores & (self.payload->cores - 1)) != 0;
        SharedMemory& shared = has_cluster ? *self.cluster : *self.alone;
        return shared.at(context.task, context.block_idx, name, bytes);
    },
    [](const KernelServices* services, uint32_t cores) {
        static_cast<const CoreServices*>(services)->waited_for = cores;
    },
};

void let_down(const KernelServices* services) {
    const auto& self = *static_cast<const CoreServices*>(services);
    if (self.let_down == 0) note_wait(self);
    if (++self.let_down > let_down_max) self.fiber->pause();
    throw LaunchOver();
}

}  // namespace chiphost::platform
