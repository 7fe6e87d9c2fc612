// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <time.h>

namespace chiphost::os {

// The time as the kernel counts it for the beginnings of threads. That clock is a coarse one, of some 10 ms.
inline uint64_t thread_clock_ns() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace chiphost::os
