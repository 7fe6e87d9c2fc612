// SPDX-License-Identifier: Apache-2.0
//
// The simulated chip's AICPU loads an orchestration from a file with a name of its own: any number of workers of any
// number of processes may do so at the same time. The file is in TMPDIR if it can be: its name is what a debugger
// shows. Where nothing can be loaded from there, it is in the system's own folder, and at last in memory only.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/debugger.h"
#include "shared/orch_so_file.h"
#include "sim_port.h"
#include "status/report.h"

namespace chiphost::platform {

namespace {

constexpr size_t path_bytes_max = 512;

// True if the file system lets code be mapped; one that is mounted noexec does not. The file may be empty.
bool may_be_mapped(int file) {
    void* code = mmap(nullptr, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    if (code == MAP_FAILED) return false;
    munmap(code, 1);
    return true;
}

// True if another user may put a file of his own in the place of one that is about to be loaded. In a folder such as
// /tmp everybody renames only what is theirs.
bool others_may_exchange(const char* folder) {
    struct stat status{};
    if (stat(folder, &status) != 0) return false;  // making a file says why
    const bool writable = status.st_mode & (S_IWGRP | S_IWOTH);
    return (status.st_uid != geteuid() && status.st_uid != 0) || (writable && !(status.st_mode & S_ISVTX));
}

OpenedLibrary opened(const AicpuPort& port) {
    if (!port.keeper) return {};
    return {port.keeper->opened, port.keeper->programs};
}

// CH_FILE_UNREADABLE: the folder is to blame, and another may do.
Status load_from_folder(const AicpuPort& port, const char* folder, const void* data, size_t bytes, const char* name,
                        void** out_library, ch_error* out_error) {
    char path[path_bytes_max];
    const int length = snprintf(path, sizeof path, "%s/chiphost-orch-XXXXXX.so", folder);
    if (length >= static_cast<int>(sizeof path)) {
        return report(out_error, CH_FILE_UNREADABLE, name, "TMPDIR: wanted fewer than %zu bytes", sizeof path - 32);
    }
    if (strchr(folder, '$')) {
        return report(out_error, CH_FILE_UNREADABLE, name,
                      "TMPDIR: wanted a path without $, found '%s': the loader puts something in for $LIB and the like",
                      folder);
    }
    if (others_may_exchange(folder)) {
        return report(out_error, CH_FILE_UNREADABLE, name,
                      "TMPDIR: '%s' belongs to another user, or others may write to it and rename what is in it",
                      folder);
    }
    const int file = mkostemps(path, 3, O_CLOEXEC);  // readable and writable by the owner only
    if (file < 0) {
        return report(out_error, CH_FILE_UNREADABLE, name,
                      "cannot make a file in '%s', the folder for temporary files (TMPDIR): %s", folder,
                      strerror(errno));
    }
    if (!may_be_mapped(file)) {
        const int failed = errno;
        close(file);
        unlink(path);
        return report(out_error, CH_FILE_UNREADABLE, name,
                      "cannot load a library from '%s', the folder for temporary files (TMPDIR): %s%s", folder,
                      strerror(failed), failed == EPERM ? "; it is mounted noexec" : "");
    }
    return load_through_file(port.loader_gate, file, path, data, bytes, name, out_library, out_error, opened(port));
}

Status load(AicpuPort* port, const void* data, size_t bytes, const char* name, void** out_library,
            ch_error* out_error) {
    if (loader::is_debugged()) {
        return load_from_memory(port->loader_gate, data, bytes, name, out_library, out_error, opened(*port));
    }
    const Status loaded = load_from_folder(*port, port->temp_folder, data, bytes, name, out_library, out_error);
    if (loaded != CH_FILE_UNREADABLE) return loaded;
    ch_error error = no_error();  // if nothing helps, the first one stays
    Status other = load_from_folder(*port, P_tmpdir, data, bytes, name, out_library, &error);
    if (other == CH_FILE_UNREADABLE)
        other = load_from_memory(port->loader_gate, data, bytes, name, out_library, &error, opened(*port));
    if (other == CH_FILE_UNREADABLE) return loaded;
    if (other.ok()) {
        *out_error = no_error();
    } else {
        *out_error = error;
    }
    return other;
}

}  // namespace

int32_t load_device_orch_so(AicpuPort* port, const void* data, size_t bytes, const char* name, void** out_library,
                            ch_error* out_error) {
    const OrchestrationKeeper* keeper = port->keeper;
    const uint64_t loaded_at_ns = keeper ? keeper->clock() : 0;
    const Status loaded = load(port, data, bytes, name, out_library, out_error);
    if (loaded.ok() && keeper) keeper->loaded(keeper->programs, *out_library, loaded_at_ns);
    if (loaded.ok() && port->check) {
        void* const attach = find_in_device_orch_so(*out_library, CHIPHOST_CHECK_ATTACH);
        if (attach) reinterpret_cast<check::Attach>(attach)(port->check->recorder);
    }
    return loaded;
}

// Without a port the device is being closed: it has seen to what may still run, and is inside the gate.
void close_device_orch_so(AicpuPort* port, void* library) {
    if (port && port->keeper) port->keeper->closing(port->keeper->programs, library);
    close_library(port ? port->loader_gate : nullptr, library);
}

}  // namespace chiphost::platform
