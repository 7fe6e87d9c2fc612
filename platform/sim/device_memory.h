// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <unordered_map>

#include "arena.h"
#include "chiphost/align.h"
#include "status/status.h"

namespace chiphost::platform {

// The memory of a simulated device: this process's, up to a limit. Addresses are those of the process. Used by one
// thread at a time.
class DeviceMemory {
public:
    // The arena, if there is one, is where all memory is, and is borrowed.
    explicit DeviceMemory(uint64_t bytes_max, Arena* arena = nullptr) : bytes_max_(bytes_max), arena_(arena) {}
    ~DeviceMemory();  // frees all of it
    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;

    // Allocates memory with an alignment of 64. If it is not to be zeroed, its content is `undefined_byte`.
    // CH_DEVICE_MEMORY_EXHAUSTED. Throws std::bad_alloc.
    Status allocate(uint64_t bytes, bool zeroed, uint64_t* out_address, ch_error* out_error);

    // Frees what allocate() has returned, and nothing for any other address.
    void release(uint64_t address);

    // Looks at the red zones before and behind every allocation. CH_DEVICE_MEMORY_OVERRUN if somebody has written
    // there; afterwards they are as they were. Zeroed memory that is large has pages there that nobody can touch.
    Status check_red_zones(ch_error* out_error);

private:
    struct Allocation {
        uint64_t bytes;
        bool mapped;
    };
    static constexpr uint64_t zone_bytes = 128;  // before an allocation, and behind it at least

    void* take(uint64_t bytes, bool zeroed, bool mapped);
    // Bytes from the end of an allocation to the end of its red zone.
    static uint64_t zone_behind(uint64_t bytes) { return align_up(bytes) - bytes + zone_bytes; }
    void free_memory(uint64_t address, const Allocation& allocation);

    const uint64_t bytes_max_;
    Arena* const arena_;
    uint64_t bytes_used_ = 0;
    std::unordered_map<uint64_t, Allocation> allocations_;  // by address
};

}  // namespace chiphost::platform
