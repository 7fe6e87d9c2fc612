// SPDX-License-Identifier: Apache-2.0
//
// A chip's AICPU loads an orchestration from a file whose path is known beforehand: the process id and a small number
// are in it. The folder may be writable for others, so the file is made for the owner only, must not exist before, and
// no link is followed.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chiphost/platform/aicpu.h"
#include "shared/orch_so_file.h"
#include "status/report.h"

#ifndef CHIPHOST_ORCH_SO_DIR
#define CHIPHOST_ORCH_SO_DIR "/tmp"
#endif

namespace chiphost::platform {

namespace {

constexpr int names_max = 1024;

// Makes the first file whose name is free. A name is taken by a file that another thread is loading, by what a process
// of the same id left behind, or by a library that is loaded: the loader would take that for the new one. Whoever
// removes a file has loaded it before, so looking for the library once the file is there misses none.
int make_file(char* path, size_t path_bytes) {
    for (int number = 0; number < names_max; ++number) {
        snprintf(path, path_bytes, CHIPHOST_ORCH_SO_DIR "/chiphost_orch_%d_%d.so", static_cast<int>(getpid()), number);
        const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file < 0 && errno == EEXIST) continue;
        if (file < 0) return file;
        void* loaded = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
        if (!loaded) return file;
        dlclose(loaded);
        close(file);
        unlink(path);
    }
    errno = EEXIST;
    return -1;
}

}  // namespace

int32_t load_device_orch_so(AicpuPort*, const void* data, size_t bytes, const char* name, void** out_library,
                            ch_error* out_error) {
    char path[512];
    const int file = make_file(path, sizeof path);
    if (file < 0) return report(out_error, CH_FILE_UNREADABLE, name, "cannot make %s: %s", path, strerror(errno));
    return load_through_file(nullptr, file, path, data, bytes, name, out_library, out_error);
}

void close_device_orch_so(AicpuPort*, void* library) {
    close_library(nullptr, library);
}

}  // namespace chiphost::platform
