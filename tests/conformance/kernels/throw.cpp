// SPDX-License-Identifier: Apache-2.0
//
// Throws at every other call.
#include <stdexcept>

#include "../script.h"
#include "chiphost/kernel.h"

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    ++chiphost::pointer_arg<chiphost::conformance::KernelRecord>(args, 0)->calls;
    if (args[1] % 2 == 1) throw std::runtime_error("thrown by a kernel");
}
