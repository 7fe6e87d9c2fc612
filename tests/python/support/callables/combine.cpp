// SPDX-License-Identifier: Apache-2.0
//
// value[task] = factor * (task + 1 + sum of value[p] over the edges p -> task), modulo 2^64. The factor shows on which
// kind of core it ran.
#include <chiphost/kernel.h>

#ifdef __DAV_CUBE__
constexpr uint64_t kFactor = 3;
#else
constexpr uint64_t kFactor = 5;
#endif

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const auto* edges = chiphost::pointer_arg<const int32_t>(args, 0);
    const auto edge_count = chiphost::scalar_arg<uint32_t>(args, 1);
    auto* values = chiphost::pointer_arg<uint64_t>(args, 2);
    auto* calls = chiphost::pointer_arg<uint32_t>(args, 3);
    const auto task = chiphost::scalar_arg<uint32_t>(args, 4);
    uint64_t sum = task + 1;
    for (uint32_t i = 0; i < edge_count; ++i) {
        if (static_cast<uint32_t>(edges[2 * i + 1]) == task) sum += values[edges[2 * i]];
    }
    values[task] = kFactor * sum;
    __atomic_fetch_add(&calls[task], 1, __ATOMIC_RELAXED);
}
