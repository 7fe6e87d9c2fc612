// SPDX-License-Identifier: Apache-2.0
//
// The kernels of ring_programs.cpp.
#include <chiphost/kernel.h>
#if defined(KERNEL_NEVER_GIVES_UP) || defined(KERNEL_GIVES_UP_LATE)
#include <chiphost/hand_over.h>
#endif
#ifdef KERNEL_THROWS_WHEN_LOADED
#include "throws_when_loaded.h"
#endif
#ifdef KERNEL_WAITS_TO_LOAD
#include "../libraries/gated.cpp"
#endif

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry([[maybe_unused]] int64_t* args) {
#ifdef KERNEL_NEVER_GIVES_UP
    for (int64_t tile = 0;;) {
        try {
            chiphost::pop_from_aic(args, &tile, sizeof tile);
        } catch (...) {
        }
    }
#endif
#ifdef KERNEL_GIVES_UP_LATE
    int64_t tile = 0;
    for (int tries = 0; tries < 3000; ++tries) {
        try {
            chiphost::pop_from_aic(args, &tile, sizeof tile);
        } catch (...) {
        }
    }
#endif
#ifdef KERNEL_FILLS
    for (uint32_t i = 0; i < chiphost::tensor_arg(args, 0).shape[0]; ++i) {
        chiphost::tensor_data<int64_t>(args, 0)[i] = args[1];
    }
#endif
#ifdef KERNEL_COPIES
    for (uint32_t i = 0; i < chiphost::tensor_arg(args, 0).shape[0]; ++i) {
        chiphost::tensor_data<int64_t>(args, 1)[i] = chiphost::tensor_data<int64_t>(args, 0)[i];
    }
#endif
}
