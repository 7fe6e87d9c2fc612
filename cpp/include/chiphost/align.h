// SPDX-License-Identifier: Apache-2.0
//
// Sizes and addresses that are multiples of something.
//
// Threads: any.
// Errors: none.
#pragma once

#include <stdint.h>

namespace chiphost {

// Device memory, records and contexts are aligned to a cache line.
constexpr uint64_t line_bytes = 64;

// Gives the next multiple at or above a number.
//
// bytes: a size, an offset or an address.
// alignment: what the result is a multiple of; a cache line if it is left out.
constexpr uint64_t align_up(uint64_t bytes, uint64_t alignment = line_bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace chiphost
