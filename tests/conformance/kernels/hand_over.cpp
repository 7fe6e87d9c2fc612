// SPDX-License-Identifier: Apache-2.0
//
// On the cores of one cluster at once: the AIC hands each AIV three numbers, more than a queue holds, and takes the
// sum.
#include "chiphost/hand_over.h"

#include "../script.h"

using namespace chiphost;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto& record = *pointer_arg<conformance::KernelRecord>(args, 0);
    const auto dispatch = static_cast<uint64_t>(args[1]);
    uint64_t sum = 0;
    if (kernel_context(args).core_type == CH_AIC) {
        for (uint32_t aiv = 0; aiv < 2; ++aiv) {
            for (uint64_t i = 1; i <= 3; ++i) {
                const uint64_t tile = i * dispatch + aiv;
                push_to_aiv(args, aiv, &tile, sizeof tile);
            }
        }
        for (uint32_t aiv = 0; aiv < 2; ++aiv) {
            uint64_t tile = 0;
            pop_from_aiv(args, aiv, &tile, sizeof tile);
            sum += tile;
        }
    } else {
        for (uint32_t i = 0; i < 3; ++i) {
            uint64_t tile = 0;
            pop_from_aic(args, &tile, sizeof tile);
            sum += tile;
        }
        push_to_aic(args, &sum, sizeof sum);
    }
    record.answer += sum;
    ++record.calls;
}
