// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <map>

#include "chiphost/platform/device.h"
#include "status/status.h"

namespace chiphost::host {

// Device memory that belongs to one run: freed when the run ends, whatever way it ends. Not thread-safe.
class RunMemory {
public:
    explicit RunMemory(platform::Device* device) : device_(device) {}
    ~RunMemory() { release_all(); }
    RunMemory(const RunMemory&) = delete;
    RunMemory& operator=(const RunMemory&) = delete;

    Status allocate(uint64_t bytes, uint64_t* out_address, ch_error* out_error);
    // CH_DEVICE_POINTER_INVALID if the address is not one that allocate() returned and that is still allocated.
    Status release(uint64_t address, ch_error* out_error);
    // CH_DEVICE_POINTER_INVALID if [address, address + bytes) is not inside one allocation. `what` begins the message.
    Status check_range(uint64_t address, uint64_t bytes, const char* what, ch_error* out_error) const;
    void release_all();

private:
    platform::Device* const device_;
    std::map<uint64_t, uint64_t> allocations_;  // address to bytes
};

}  // namespace chiphost::host
