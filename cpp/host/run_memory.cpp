// SPDX-License-Identifier: Apache-2.0
#include "run_memory.h"

#include "status/report.h"

namespace chiphost::host {

Status RunMemory::allocate(uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    CH_TRY(platform::allocate(device_, bytes, out_address, out_error));
    allocations_[*out_address] = bytes;
    return CH_OK;
}

Status RunMemory::release(uint64_t address, ch_error* out_error) {
    const auto found = allocations_.find(address);
    if (found == allocations_.end()) {
        return report(out_error, CH_DEVICE_POINTER_INVALID, "device_free",
                      "0x%llx is not the beginning of a live allocation", static_cast<unsigned long long>(address));
    }
    platform::release(device_, address);
    allocations_.erase(found);
    return CH_OK;
}

Status RunMemory::check_range(uint64_t address, uint64_t bytes, const char* what, ch_error* out_error) const {
    auto after = allocations_.upper_bound(address);
    if (after == allocations_.begin()) {
        return report(out_error, CH_DEVICE_POINTER_INVALID, what, "0x%llx is inside no live allocation",
                      static_cast<unsigned long long>(address));
    }
    const auto [start, size] = *--after;
    const uint64_t offset = address - start;
    if (offset > size || bytes > size - offset || (offset == size && size != 0)) {
        return report(out_error, CH_DEVICE_POINTER_INVALID, what,
                      "%llu bytes at 0x%llx do not fit into the allocation of %llu bytes at 0x%llx",
                      static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(address),
                      static_cast<unsigned long long>(size), static_cast<unsigned long long>(start));
    }
    return CH_OK;
}

void RunMemory::release_all() {
    for (const auto& [address, bytes] : allocations_) platform::release(device_, address);
    allocations_.clear();
}

}  // namespace chiphost::host
