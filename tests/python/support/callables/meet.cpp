// SPDX-License-Identifier: Apache-2.0
//
// Waits until all blocks of the task have come here: each adds 1 to an element of tensor 0, which begins with scalar 1.
#include <chiphost/kernel_services.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto* arrived = chiphost::tensor_data<int32_t>(args, 0);
    const int32_t all = chiphost::scalar_arg<int32_t>(args, 1) + chiphost::get_block_num(args);
    __atomic_add_fetch(arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(arrived, __ATOMIC_ACQUIRE) < all) chiphost::pause_kernel(chiphost::kernel_context(args));
}
