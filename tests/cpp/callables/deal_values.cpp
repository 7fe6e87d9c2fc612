// SPDX-License-Identifier: Apache-2.0
//
// On the AIC: deals every element of the first tensor to both AIVs, as tiles of one number, and mixes their answers
// (answer_values.cpp) into the same element of the second tensor. It deals further ahead than a queue holds, so that
// all three wait for each other.
#include <chiphost/hand_over.h>

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    constexpr uint32_t ahead = 4;
    const uint32_t count = chiphost::tensor_arg(args, 0).shape[0];
    const auto* source = chiphost::tensor_data<uint64_t>(args, 0);
    auto* target = chiphost::tensor_data<uint64_t>(args, 1);
    const auto number = chiphost::scalar_arg<uint64_t>(args, 2);
    for (uint32_t i = 0; i < count + ahead; ++i) {
        for (uint32_t aiv = 0; aiv < 2 && i < count; ++aiv) chiphost::push_to_aiv(args, aiv, &source[i], 8);
        if (i < ahead) continue;
        uint64_t answers[2];
        for (uint32_t aiv = 0; aiv < 2; ++aiv) chiphost::pop_from_aiv(args, aiv, &answers[aiv], 8);
        target[i - ahead] = target[i - ahead] * 3 + answers[0] * 5 + answers[1] + number;
    }
}
