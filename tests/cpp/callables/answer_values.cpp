// SPDX-License-Identifier: Apache-2.0
//
// On an AIV: takes as many numbers from the AIC as the first tensor has elements, and hands back 3 x + 1 on AIV0 and x
// * x + 2 on AIV1.
#include <chiphost/hand_over.h>

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const uint32_t count = chiphost::tensor_arg(args, 0).shape[0];
    for (uint32_t i = 0; i < count; ++i) {
        uint64_t x = 0;
        chiphost::pop_from_aic(args, &x, 8);
        x = chiphost::get_sub_block_id(args) == 0 ? 3 * x + 1 : x * x + 2;
        chiphost::push_to_aic(args, &x, 8);
    }
}
