// SPDX-License-Identifier: Apache-2.0
//
// This platform has no file system: it loads orchestrations from memory. Stands in for the simulated platform's file of
// the same name.
#include "chiphost/platform/aicpu.h"
#include "shared/orch_so_file.h"
#include "sim_port.h"

namespace chiphost::platform {

int32_t load_device_orch_so(AicpuPort* port, const void* data, size_t bytes, const char* name, void** out_library,
                            ch_error* out_error) {
    return load_from_memory(port->loader_gate, data, bytes, name, out_library, out_error);
}

void close_device_orch_so(AicpuPort* port, void* library) {
    close_library(port ? port->loader_gate : nullptr, library);
}

}  // namespace chiphost::platform
