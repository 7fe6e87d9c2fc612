// SPDX-License-Identifier: Apache-2.0
//
// Makes a cell (graph_plan.h): all of it, or half of it as one of two blocks. If a task has several cores, the AIC does
// it.
#include "../graph_plan.h"
#include "chiphost/abi/callable.h"
#include "chiphost/kernel.h"

using namespace chiphost;

namespace {

template <typename T>
__aicore__ inline __gm__ T* data(const __gm__ int64_t* args, int index) {
    const bool is_address = scalar_arg<uint64_t>(args, conformance::graph_addresses) != 0;
    return is_address ? pointer_arg<T>(args, index) : tensor_data<T>(args, index);
}

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ KernelContext& context = kernel_context(args);
    if (context.core_type != CH_AIC && scalar_arg<uint64_t>(args, conformance::graph_mixed) != 0) return;
    const __gm__ uint64_t* left = data<const uint64_t>(args, 0);
    const __gm__ uint64_t* right = data<const uint64_t>(args, 1);
    __gm__ uint64_t* out = data<uint64_t>(args, 2);
    const auto number = scalar_arg<uint64_t>(args, conformance::graph_number);
    const uint32_t words = conformance::cell_words / static_cast<uint32_t>(context.block_num);
    const uint32_t first = words * static_cast<uint32_t>(context.block_idx);
    for (uint32_t word = first; word < first + words; ++word) {
        out[word] = conformance::graph_value(left[word], right[word], number, word);
    }
}
