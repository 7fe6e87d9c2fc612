// SPDX-License-Identifier: Apache-2.0
#include "device_memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <utility>

#include "chiphost/align.h"
#include "sim_port.h"
#include "status/report.h"

namespace chiphost::platform {

namespace {

constexpr uint64_t map_from_bytes = 64 << 10;  // zeroed memory of this size and above is mapped, not written

}  // namespace

DeviceMemory::~DeviceMemory() {
    for (const auto& [address, allocation] : allocations_) free_memory(address, allocation);
}

// Memory of the host; nullptr if it has none.
void* DeviceMemory::take(uint64_t bytes, bool zeroed, bool mapped) {
    void* memory = nullptr;
    if (arena_) {
        memory = reinterpret_cast<void*>(arena_->take(bytes));
        if (memory && !zeroed) memset(memory, undefined_byte, bytes);
    } else if (mapped) {
        memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) memory = nullptr;
    } else if (bytes <= UINT64_MAX - line_bytes) {
        memory = aligned_alloc(line_bytes, align_up(bytes));
        // Undefined content is not what the last run left there: results that nobody wrote must not look right.
        if (memory) memset(memory, zeroed ? 0 : undefined_byte, bytes);
    }
    return memory;
}

Status DeviceMemory::allocate(uint64_t bytes, bool zeroed, uint64_t* out_address, ch_error* out_error) {
    const uint64_t room = bytes_max_ - bytes_used_;
    const uint64_t wanted = bytes ? bytes : 1;
    const bool mapped = zeroed && wanted >= map_from_bytes;
    void* const memory = wanted <= room ? take(wanted, zeroed, mapped) : nullptr;
    if (!memory) {
        return report(out_error, CH_DEVICE_MEMORY_EXHAUSTED, "device memory",
                      "wanted %llu bytes, %llu of %llu bytes are free%s", static_cast<unsigned long long>(wanted),
                      static_cast<unsigned long long>(room), static_cast<unsigned long long>(bytes_max_),
                      wanted <= room ? ", but the host has no memory to simulate them" : "");
    }
    *out_address = reinterpret_cast<uint64_t>(memory);
    const Allocation allocation{wanted, mapped};
    try {
        allocations_[*out_address] = allocation;
    } catch (...) {
        free_memory(std::exchange(*out_address, 0), allocation);
        throw;
    }
    bytes_used_ += wanted;
    return CH_OK;
}

void DeviceMemory::free_memory(uint64_t address, const Allocation& allocation) {
    if (arena_) {
        arena_->give_back(address);
    } else if (allocation.mapped) {
        munmap(reinterpret_cast<void*>(address), allocation.bytes);
    } else {
        free(reinterpret_cast<void*>(address));
    }
}

void DeviceMemory::release(uint64_t address) {
    const auto found = allocations_.find(address);
    if (found == allocations_.end()) return;
    bytes_used_ -= found->second.bytes;
    free_memory(address, found->second);
    allocations_.erase(found);
}

}  // namespace chiphost::platform
