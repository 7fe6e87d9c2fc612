// SPDX-License-Identifier: Apache-2.0
//
// Waits until another core has written 1 to an element of tensor 0, and then writes 1 to the element that another core
// waits for. Scalars: both elements' numbers. SPINS: without a pause.
#include <chiphost/kernel_services.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto* flags = chiphost::tensor_data<int32_t>(args, 0);
    const auto own = chiphost::scalar_arg<int32_t>(args, 1), other = chiphost::scalar_arg<int32_t>(args, 2);
    while (__atomic_load_n(&flags[own], __ATOMIC_ACQUIRE) != 1) {
#ifndef SPINS
        chiphost::pause_kernel(chiphost::kernel_context(args));
#endif
    }
    __atomic_store_n(&flags[other], 1, __ATOMIC_RELEASE);
}
