// SPDX-License-Identifier: Apache-2.0
//
// How the AICPU loads an orchestration. platform/shared/orch_so_file.h helps where the AICPU has a file system.
#include "chiphost/platform/aicpu.h"
#include "unimplemented.h"

namespace chiphost::platform {

int32_t load_device_orch_so(AicpuPort*, const void*, size_t, const char*, void**, ch_error* out_error) {
    return unimplemented("load_device_orch_so", out_error);
}

void* find_in_device_orch_so(void*, const char*) {
    unimplemented("find_in_device_orch_so");
}

void close_device_orch_so(AicpuPort*, void*) {
    unimplemented("close_device_orch_so");
}

}  // namespace chiphost::platform
