// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

namespace chiphost::os {

// True if this process has memory at the address, of whatever protection.
inline bool is_mapped(uint64_t address) {
    const uint64_t page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    unsigned char resident = 0;
    return mincore(reinterpret_cast<void*>(address / page_bytes * page_bytes), 1, &resident) == 0;
}

}  // namespace chiphost::os
