// SPDX-License-Identifier: Apache-2.0
//
// The device, its memory and copies: what the first groups of conformance tests want.
#include "chiphost/platform/device.h"

#include "unimplemented.h"

namespace chiphost::platform {

class Device {};

int32_t open_device(const ch_device_options&, Device**, ch_error* out_error) {
    return unimplemented("open_device", out_error);
}

void close_device(Device*) {}

int32_t allocate(Device*, uint64_t, uint64_t*, ch_error* out_error) {
    return unimplemented("allocate", out_error);
}

int32_t allocate_zeroed(Device*, uint64_t, uint64_t*, ch_error* out_error) {
    return unimplemented("allocate_zeroed", out_error);
}

void release(Device*, uint64_t) {}

int32_t copy_to_device(Device*, uint64_t, const void*, uint64_t, ch_error* out_error) {
    return unimplemented("copy_to_device", out_error);
}

int32_t copy_from_device(Device*, void*, uint64_t, uint64_t, ch_error* out_error) {
    return unimplemented("copy_from_device", out_error);
}

}  // namespace chiphost::platform
