// SPDX-License-Identifier: Apache-2.0
#include "device_memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "chiphost/align.h"
#include "sim_port.h"
#include "status/report.h"

namespace chiphost::platform {

namespace {

constexpr uint64_t map_from_bytes = 64 << 10;  // zeroed memory of this size and above is mapped, not written
constexpr uint64_t page_bytes = 4096;          // of a guard, a multiple of the system's
constexpr int zone_byte = 0xA5;                // what red zones hold

uint64_t guard_bytes() {
    static const auto system_page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    return std::max(page_bytes, system_page);
}

// Memory with a page before and pages behind that nobody can touch; nullptr if there is none.
void* map_guarded(uint64_t bytes) {
    const uint64_t guard = guard_bytes();
    if (bytes > UINT64_MAX / 2) return nullptr;
    const uint64_t inside = align_up(bytes, guard);
    void* const all = mmap(nullptr, inside + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) return nullptr;
    void* const memory = static_cast<char*>(all) + guard;
    if (mprotect(memory, inside, PROT_READ | PROT_WRITE) == 0) return memory;
    munmap(all, inside + 2 * guard);
    return nullptr;
}

void unmap_guarded(uint64_t address, uint64_t bytes) {
    const uint64_t guard = guard_bytes();
    munmap(reinterpret_cast<void*>(address - guard), align_up(bytes, guard) + 2 * guard);
}

// The first of some bytes that is not `zone_byte`; `bytes` if all are.
uint64_t first_changed(const unsigned char* zone, uint64_t bytes) {
    constexpr uint64_t word = uint64_t{0x0101010101010101u} * zone_byte;
    uint64_t at = 0;
    for (uint64_t now = word; at + sizeof now <= bytes; at += sizeof now) {
        memcpy(&now, zone + at, sizeof now);
        if (now != word) break;
    }
    while (at < bytes && zone[at] == zone_byte) ++at;
    return at;
}

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
        memory = map_guarded(bytes);
    } else if (bytes <= UINT64_MAX / 2) {
        auto* const all = static_cast<char*>(aligned_alloc(line_bytes, zone_bytes + bytes + zone_behind(bytes)));
        if (!all) return nullptr;
        memory = all + zone_bytes;
        memset(all, zone_byte, zone_bytes);
        // Undefined content is not what the last run left there: results that nobody wrote must not look right.
        memset(memory, zeroed ? 0 : undefined_byte, bytes);
        memset(static_cast<char*>(memory) + bytes, zone_byte, zone_behind(bytes));
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
        unmap_guarded(address, allocation.bytes);
    } else {
        free(reinterpret_cast<void*>(address - zone_bytes));
    }
}

void DeviceMemory::release(uint64_t address) {
    const auto found = allocations_.find(address);
    if (found == allocations_.end()) return;
    bytes_used_ -= found->second.bytes;
    free_memory(address, found->second);
    allocations_.erase(found);
}

Status DeviceMemory::check_red_zones(ch_error* out_error) {
    Status failed;
    for (const auto& [address, allocation] : allocations_) {
        if (arena_ || allocation.mapped) continue;
        auto* const before = reinterpret_cast<unsigned char*>(address - zone_bytes);
        auto* const behind = reinterpret_cast<unsigned char*>(address + allocation.bytes);
        const uint64_t behind_bytes = zone_behind(allocation.bytes);
        const uint64_t changed_before = first_changed(before, zone_bytes);
        const uint64_t changed_behind = first_changed(behind, behind_bytes);
        if (changed_before == zone_bytes && changed_behind == behind_bytes) continue;
        const bool is_behind = changed_behind != behind_bytes;
        failed = report(out_error, CH_DEVICE_MEMORY_OVERRUN, "device memory",
                        "byte %llu %s an allocation of %llu bytes has changed: a kernel has written out of a tensor",
                        static_cast<unsigned long long>(is_behind ? changed_behind + 1 : zone_bytes - changed_before),
                        is_behind ? "behind" : "before", static_cast<unsigned long long>(allocation.bytes));
        memset(before, zone_byte, zone_bytes);
        memset(behind, zone_byte, behind_bytes);
    }
    return failed;
}

}  // namespace chiphost::platform
