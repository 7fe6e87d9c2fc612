// SPDX-License-Identifier: Apache-2.0
#include "core_services.h"

#include "chiphost/require.h"

namespace chiphost::platform {

namespace {

// A kernel's wait throws this when the launch is over. It is no std::exception, so that a handler of those does not end
// it.
class LaunchOver {};

}  // namespace

const KernelServices core_services = {
    [](const KernelServices* services) {
        Fiber* const fiber = static_cast<const CoreServices*>(services)->fiber;
        require(fiber,
                "this kernel waits for another core, but its library does not export chiphost_kernel_hands_over");
        fiber->pause();
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
};

void let_down(const KernelServices* services) {
    const auto& self = *static_cast<const CoreServices*>(services);
    if (++self.let_down > let_down_max) self.fiber->pause();
    throw LaunchOver();
}

}  // namespace chiphost::platform
