// SPDX-License-Identifier: Apache-2.0
//
// For kernels that were written for simpler: the block of the task that a kernel runs.
#pragma once

#include "chiphost/kernel.h"

__aicore__ inline int32_t get_block_idx(const __gm__ int64_t* args) {
    return chiphost::get_block_idx(args);
}
__aicore__ inline int32_t get_block_num(const __gm__ int64_t* args) {
    return chiphost::get_block_num(args);
}
// 0 or 1: first or second AIV of the cluster.
__aicore__ inline int32_t get_sub_block_id(const __gm__ int64_t* args) {
    return chiphost::get_sub_block_id(args);
}
