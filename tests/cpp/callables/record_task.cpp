// SPDX-License-Identifier: Apache-2.0
//
// Writes the order in which tasks run: log[0] counts, log[1 + task] becomes the count when the task ran, 1 for the
// first. A task that runs twice shows as a count that is too high.
#include <chiphost/kernel.h>

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto* log = chiphost::pointer_arg<uint64_t>(args, 0);
    const auto task = chiphost::scalar_arg<uint32_t>(args, 1);
    log[1 + task] = __atomic_add_fetch(&log[0], 1, __ATOMIC_RELAXED);
}
