// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <sys/resource.h>

#include <algorithm>

namespace chiphost::os {

constexpr uint64_t stack_bytes_min = uint64_t{8} << 20;
// The size where there is no limit. A stack needs addresses only; pages are taken as they are touched.
constexpr uint64_t stack_bytes_unlimited = uint64_t{64} << 20;
constexpr uint64_t stack_bytes_max = uint64_t{1} << 30;

// Bytes of stack for code that does not ask for more: as much as it would have on a program's first thread
// (RLIMIT_STACK, `ulimit -s`), but 8 MiB to 1 GiB.
inline uint64_t usual_stack_bytes() {
    rlimit limit{};
    if (getrlimit(RLIMIT_STACK, &limit) != 0) return stack_bytes_min;
    if (limit.rlim_cur == RLIM_INFINITY) return stack_bytes_unlimited;
    return std::clamp<uint64_t>(limit.rlim_cur, stack_bytes_min, stack_bytes_max);
}

// The stack size of a thread or a fiber whose code wants at least `wanted` bytes; 0 means no particular wish.
inline uint64_t stack_bytes_for(uint64_t wanted) {
    return wanted ? std::max(wanted, stack_bytes_min) : usual_stack_bytes();
}

}  // namespace chiphost::os
