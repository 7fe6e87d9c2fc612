// SPDX-License-Identifier: Apache-2.0
//
// The simulated chip's AICPU loads an orchestration from a file with a name of its own: any number of workers of any
// number of processes may do so at the same time.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/report.h"
#include "shared/orch_so_file.h"
#include "sim_port.h"

namespace chiphost::platform {

int32_t load_device_orch_so(AicpuPort* port, const void* data, size_t bytes, const char* name, void** out_library,
                            ch_error* out_error) {
    char path[512];
    const int length = snprintf(path, sizeof path, "%s/chiphost-orch-XXXXXX.so", port->temp_folder);
    if (length >= static_cast<int>(sizeof path)) {
        return report(out_error, CH_FILE_UNREADABLE, name, "wanted a TMPDIR of fewer than %zu bytes", sizeof path - 32);
    }
    const int file = mkostemps(path, 3, O_CLOEXEC);  // readable and writable by the owner only
    if (file < 0) return report(out_error, CH_FILE_UNREADABLE, name, "cannot make %s: %s", path, strerror(errno));
    return load_through_file(file, path, data, bytes, name, out_library, out_error);
}

}  // namespace chiphost::platform
