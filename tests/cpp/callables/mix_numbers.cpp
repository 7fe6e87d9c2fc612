// SPDX-License-Identifier: Apache-2.0
//
// Mixes the elements of the first tensor into every element of the second, so that the order of two such tasks shows.
#include <chiphost/kernel.h>

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const ch_device_tensor &from = chiphost::tensor_arg(args, 0), &to = chiphost::tensor_arg(args, 1);
    const auto* source = chiphost::tensor_data<uint64_t>(args, 0);
    auto* target = chiphost::tensor_data<uint64_t>(args, 1);
    uint64_t sum = chiphost::scalar_arg<uint64_t>(args, 2);
    for (uint32_t i = 0; i < from.shape[0]; ++i) sum = sum * 5 + source[uint64_t{i} * from.stride[0]];
    for (uint32_t i = 0; i < to.shape[0]; ++i)
        target[uint64_t{i} * to.stride[0]] = target[uint64_t{i} * to.stride[0]] * 3 + sum;
}
