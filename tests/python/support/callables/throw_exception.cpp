// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>

#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t*) {
    throw std::runtime_error("what the kernel says");
}
