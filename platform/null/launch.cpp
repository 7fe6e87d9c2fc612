// SPDX-License-Identifier: Apache-2.0
//
// Kernels and launches.
#include "chiphost/platform/device.h"
#include "unimplemented.h"

namespace chiphost::platform {

int32_t load_kernel(Device*, const ch_kernel&, LoadedKernel*, ch_error* out_error) {
    return unimplemented("load_kernel", out_error);
}

void unload_kernel(Device*, const LoadedKernel&) {}

int32_t check_launch(Device*, const LaunchOptions&, ch_error* out_error) {
    return unimplemented("check_launch", out_error);
}

int32_t launch(Device*, const LaunchOptions&, ch_error* out_error) {
    return unimplemented("launch", out_error);
}

}  // namespace chiphost::platform
