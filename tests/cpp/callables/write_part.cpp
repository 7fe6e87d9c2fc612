// SPDX-License-Identifier: Apache-2.0
//
// PART 0, 1, 2: the part of a task for the AIC, AIV0, AIV1 of a cluster. Block b mixes the elements of the first tensor
// into element 3 * b + PART of the second; blocks and parts touch no memory of each other.
#include <chiphost/kernel.h>

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const ch_device_tensor& from = chiphost::tensor_arg(args, 0);
    const auto* source = chiphost::tensor_data<uint64_t>(args, 0);
    auto* target = chiphost::tensor_data<uint64_t>(args, 1);
    const auto block = static_cast<uint64_t>(chiphost::get_block_idx(args));
    uint64_t sum = chiphost::scalar_arg<uint64_t>(args, 2);
    for (uint32_t i = 0; i < from.shape[0]; ++i) sum = sum * 5 + source[uint64_t{i} * from.stride[0]];
    target[3 * block + PART] = target[3 * block + PART] * 3 + sum + 7 * PART + 11 * block;
}
