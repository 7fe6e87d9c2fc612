// SPDX-License-Identifier: Apache-2.0
#include "orch_so_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <memory>
#include <new>

#include "chiphost/platform/aicpu.h"
#include "loader/constructors.h"
#include "loader/debugger.h"
#include "loader/loader_refusal.h"
#include "os/own_files.h"
#include "os/thread_state.h"
#include "status/report.h"

namespace chiphost::platform {

namespace {

bool write_all(int file, const void* data, size_t bytes) {
    const char* from = static_cast<const char*>(data);
    while (bytes != 0) {
        const ssize_t written = write(file, from, bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        from += written;
        bytes -= static_cast<size_t>(written);
    }
    return true;
}

}  // namespace

Status load_through_file(ch_loader_gate* gate, int file, const char* path, const void* data, size_t bytes,
                         const char* name, void** out_library, ch_error* out_error, const OpenedLibrary& opened) {
    // No exception: nobody would catch it on the processor's stack.
    const std::unique_ptr<char[]> copy(new (std::nothrow) char[bytes]);
    if (!copy) {
        close(file);
        unlink(path);
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, name, "no memory for a copy of %zu bytes", bytes);
    }
    memcpy(copy.get(), data, bytes);
    const loader::Constructors constructors(copy.get(), bytes);
    bool written = write_all(file, copy.get(), bytes);
    int failed = errno;
    if (close(file) != 0 && written) {
        written = false;
        failed = errno;
    }
    if (!written) {
        unlink(path);
        return report(out_error, CH_FILE_UNREADABLE, name, "cannot write %s: %s", path, strerror(failed));
    }
    ch_loader_gate_enter(gate);
    {
        const os::ThreadStateGuard guard;
        *out_library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    ch_loader_gate_leave(gate);
    const char* refused = *out_library ? nullptr : loader::loader_words();
    unlink(path);
    if (!*out_library) return loader::report_refusal(out_error, name, refused);
    if (opened.tell) opened.tell(opened.whom, *out_library);
    const Status thrown = constructors.run(*out_library, gate, name, out_error);
    if (!thrown.ok()) {
        close_library(gate, *out_library);
        *out_library = nullptr;
    }
    return thrown;
}

Status load_from_memory(ch_loader_gate* gate, const void* data, size_t bytes, const char* name, void** out_library,
                        ch_error* out_error, const OpenedLibrary& opened) {
    const int file = static_cast<int>(syscall(SYS_memfd_create, "chiphost-orch", MFD_CLOEXEC));
    const int written = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, 0);  // closed before the library is loaded
    if (written < 0) {
        const int failed = errno;
        if (file >= 0) close(file);
        return report(out_error, CH_FILE_UNREADABLE, name, "no file in memory: %s", strerror(failed));
    }
    // The loader takes an equal path for the same library, and numbers of files come again. So the path spells the
    // time, which only grows: "/." is a one, "/" a zero.
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    char folder[32];
    if (!os::folder_of_own_files(file, folder)) {
        close(written);
        close(file);
        return report(out_error, CH_FILE_UNREADABLE, name, "no file in memory: there is no /proc to find it in");
    }
    char path[512];
    auto length = static_cast<size_t>(snprintf(path, sizeof path, "%s", folder));
    for (uint64_t left = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
         left != 0; left >>= 1) {
        path[length++] = '/';
        if (left & 1) path[length++] = '.';
    }
    snprintf(path + length, sizeof path - length, "/%d", file);
    const Status loaded = load_through_file(gate, written, path, data, bytes, name, out_library, out_error, opened);
    if (!loaded.ok() || !loader::is_debugged()) close(file);
    return loaded;
}

void* find_in_device_orch_so(void* library, const char* symbol) {
    return dlsym(library, symbol);
}

void close_library(ch_loader_gate* gate, void* library) {
    const os::ThreadStateGuard guard;
    ch_loader_gate_enter(gate);
    dlclose(library);
    ch_loader_gate_leave(gate);
}

}  // namespace chiphost::platform
