// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

namespace chiphost {

// What device memory, records and contexts are aligned to: a cache line.
constexpr uint64_t line_bytes = 64;

// The next multiple of `alignment` at or above `bytes`, which may be a size, an offset or an address.
constexpr uint64_t align_up(uint64_t bytes, uint64_t alignment = line_bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace chiphost
