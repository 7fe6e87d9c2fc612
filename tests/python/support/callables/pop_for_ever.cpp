// SPDX-License-Identifier: Apache-2.0
//
// Takes a tile that nobody pushes. ON_AIC: built for an AIC.
#include <chiphost/hand_over.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    int32_t tile = 0;
#ifdef ON_AIC
    chiphost::pop_from_aiv(args, 0, &tile, sizeof tile);
#else
    chiphost::pop_from_aic(args, &tile, sizeof tile);
#endif
}
