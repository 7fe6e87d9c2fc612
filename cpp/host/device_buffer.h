// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "chiphost/platform/device.h"
#include "status/status.h"

namespace chiphost::host {

// One piece of device memory that is made anew when another size is wanted. Freed with the object.
class DeviceBuffer {
public:
    explicit DeviceBuffer(platform::Device* device) : device_(device) {}
    ~DeviceBuffer() { release(); }
    DeviceBuffer(const DeviceBuffer&) = delete;
    DeviceBuffer& operator=(const DeviceBuffer&) = delete;

    // Makes the buffer `bytes` or larger; its content is undefined then. After a failure there is no memory.
    Status reserve(uint64_t bytes, ch_error* out_error) {
        return bytes <= bytes_ ? CH_OK : make(platform::allocate, bytes, out_error);
    }

    // Does the same, and all of the memory is 0 if it had to be made.
    Status reserve_zeroed(uint64_t bytes, ch_error* out_error) {
        return bytes <= bytes_ ? CH_OK : make(platform::allocate_zeroed, bytes, out_error);
    }

    void release() {
        if (address_) platform::release(device_, address_);
        address_ = bytes_ = 0;
    }

    uint64_t address() const { return address_; }  // 0: there is no memory
    uint64_t bytes() const { return bytes_; }

private:
    using Allocate = int32_t (*)(platform::Device*, uint64_t, uint64_t*, ch_error*);
    Status make(Allocate allocate, uint64_t bytes, ch_error* out_error) {
        release();
        if (const Status failed = allocate(device_, bytes, &address_, out_error); !failed.ok()) {
            address_ = 0;
            return failed;
        }
        bytes_ = bytes;
        return CH_OK;
    }

    platform::Device* const device_;
    uint64_t address_ = 0;
    uint64_t bytes_ = 0;
};

}  // namespace chiphost::host
