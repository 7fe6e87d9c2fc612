// SPDX-License-Identifier: Apache-2.0
//
// Notes in its core's record how it was called. ANSWER tells builds of it apart.
#include "../script.h"
#include "chiphost/kernel.h"

using namespace chiphost;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto& record = *pointer_arg<conformance::KernelRecord>(args, 0);
    const auto dispatch = static_cast<uint64_t>(args[1]);
    if (dispatch != record.last_dispatch + 1) ++record.out_of_order;
    for (uint32_t i = 2; i < conformance::kernel_args; ++i) {
        if (static_cast<uint64_t>(args[i]) != conformance::argument(dispatch, i)) ++record.bad_args;
    }
    const auto& context = kernel_context(args);
    record.block_idx = context.block_idx;
    record.block_num = context.block_num;
    record.core = context.core;
    record.core_type = context.core_type;
    record.sub_block_id = context.sub_block_id;
    record.answer = ANSWER;
    record.last_dispatch = dispatch;
    ++record.calls;
}
