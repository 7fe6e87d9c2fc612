// SPDX-License-Identifier: Apache-2.0
//
// Device memory and the time, as the suite's AICPU program uses them.
#pragma once

#include <stdint.h>
#include <time.h>

#include "chiphost/platform/aicpu.h"

namespace chiphost::conformance {

inline uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

template <typename T>
T* at(uint64_t address) {
    return reinterpret_cast<T*>(address);
}

// Makes what this thread wrote visible to cores and host.
inline void show(const void* address, size_t bytes) {
    platform::flush_cache(address, bytes);
}

}  // namespace chiphost::conformance
