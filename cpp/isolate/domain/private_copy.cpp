// SPDX-License-Identifier: Apache-2.0
#include "private_copy.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "interpose/replaced_functions.h"
#include "loader/constructors.h"
#include "loader/debugger.h"
#include "loader/loader_gate.h"
#include "loader/loader_refusal.h"
#include "os/own_files.h"
#include "os/thread_state.h"
#include "shared_variable.h"
#include "status/report.h"

namespace chiphost::isolate {

namespace {

class File {
public:
    explicit File(int descriptor) : descriptor_(descriptor) {}
    ~File() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    int get() const { return descriptor_; }
    void leave_open() { descriptor_ = -1; }
    void reset(int descriptor) {
        const int failed = errno;
        if (descriptor_ >= 0) close(descriptor_);
        descriptor_ = descriptor;
        errno = failed;
    }
    bool ok() const { return descriptor_ >= 0; }

private:
    int descriptor_;
};

bool write_all(int descriptor, const void* data, size_t bytes) {
    const char* next = static_cast<const char*>(data);
    while (bytes > 0) {
        const ssize_t written = write(descriptor, next, bytes);
        if (written < 0) {
            if (errno == EINTR) continue;
            return false;
        }
        next += written;
        bytes -= static_cast<size_t>(written);
    }
    return true;
}

// A file that is removed at the end of this object's life, or before.
class TemporaryFile {
public:
    TemporaryFile() = default;
    ~TemporaryFile() { remove(); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    // Makes the file and returns its descriptor, or -1 with errno.
    int create(const char* pattern) {
        std::string path = pattern;
        const int descriptor = mkostemp(path.data(), O_CLOEXEC);
        if (descriptor >= 0) path_.swap(path);
        return descriptor;
    }
    void remove() {
        if (!path_.empty()) unlink(path_.c_str());
        path_.clear();
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

// A path to the open file that no earlier load has used. The loader takes an equal path for the same library, even if
// the descriptor was closed and reused since. So the path spells a number that only grows: "/." is a one, "/" a zero.
// The path is empty where none leads to the file.
std::string unused_path(int descriptor) {
    static std::atomic<uint64_t> loads{0};  // names only: every value may be used once, nothing else depends on it
    char folder[32];
    if (!os::folder_of_own_files(descriptor, folder)) return "";
    std::string path = folder;
    for (uint64_t number = ++loads; number != 0; number >>= 1) path += (number & 1) ? "/." : "/";
    return path + "/" + std::to_string(descriptor);
}

// An answer of is_debugged() that is up to 50 ms old: the kernel takes longer to say it than the loader to load a
// kernel.
bool was_debugged_lately() {
    constexpr uint64_t valid_ms = 50;
    static std::atomic<uint64_t> last{0};  // the time of the question, in ms, and the answer in the lowest bit
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    const uint64_t now =
        static_cast<uint64_t>(time.tv_sec) * 1000 + static_cast<uint64_t>(time.tv_nsec) / 1'000'000 + valid_ms;
    const uint64_t known = last.load(std::memory_order_relaxed);
    if (now - (known >> 1) < valid_ms) return known & 1;
    const bool debugged = loader::is_debugged();
    last.store(now << 1 | debugged, std::memory_order_relaxed);
    return debugged;
}

[[maybe_unused]] int32_t check_variables(void* handle, const std::string& name, ch_error* out_error) {
    const SharedVariable shared = find_shared_variable(handle);
    if (shared.name.empty()) return CH_OK;
    return report(
        out_error, CH_VARIABLE_SHARED, name,
        "its variable %s is also one of %s, and a copy would use that one: copies, and the program, would not "
        "be apart; namespace and process keep them apart",
        shared.name.c_str(), shared.owner.empty() ? "the program" : shared.owner.c_str());
}

}  // namespace

Status load_private_copy(ch_loader_gate* gate, const void* data, size_t bytes, const std::string& name,
                         [[maybe_unused]] Variables variables, void** out_handle, ch_error* out_error) {
    *out_handle = nullptr;
    TemporaryFile temporary;
    File file(static_cast<int>(syscall(SYS_memfd_create, base_name(name).substr(0, 200).c_str(), MFD_CLOEXEC)));
    const int refused = file.ok() ? 0 : errno;
    std::string path = file.ok() ? unused_path(file.get()) : "";
    if (path.empty()) {
        // Where the kernel lacks memfd_create, a filter refuses it, or there is no /proc to find it in, the copy is a
        // file of chiphost's own, removed as soon as it is mapped. It does not go into TMPDIR: this may be another
        // namespace's C library, whose environment points to memory that is gone.
        file.reset(temporary.create(P_tmpdir "/chiphost-XXXXXX"));
        if (!file.ok()) {
            return report(out_error, CH_LOAD_REFUSED, name, "no file for a private copy: in memory: %s; in %s: %s",
                          refused ? strerror(refused) : "there is no /proc with it", P_tmpdir, strerror(errno));
        }
        path = temporary.path();
    }

    const auto* begin = static_cast<const char*>(data);
    std::vector<char> copy(begin, begin + bytes);
    const loader::Constructors constructors(copy.data(), copy.size());
    Status failed;
    if (!write_all(file.get(), copy.data(), copy.size())) {
        failed = report(out_error, CH_LOAD_REFUSED, name, "cannot write a private copy: %s", strerror(errno));
    } else {
        const loader::LoaderPass pass(gate);
        const os::ThreadStateGuard guard;
        *out_handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    }
    if (failed.ok() && !*out_handle) {
        std::string words = loader::loader_words();
        if (const size_t at = words.find(path); at != std::string::npos) words.replace(at, path.size(), name);
        failed = loader::report_refusal(out_error, name, words.c_str());
    }
    temporary.remove();
#ifndef CHIPHOST_IN_NAMESPACE  // there the anchor comes first, and nothing is the program's
    if (failed.ok()) {
        const loader::LoaderPass pass(gate);
        interpose::replace_functions(*out_handle);
        if (variables == Variables::own) failed = check_variables(*out_handle, name, out_error);
    }
#endif
    if (failed.ok()) failed = constructors.run(*out_handle, gate, name, out_error);
    if (!failed.ok() && *out_handle) {
        const loader::LoaderPass pass(gate);
        const os::ThreadStateGuard guard;
        dlclose(*out_handle);
        *out_handle = nullptr;
    }
    if (failed.ok() && was_debugged_lately()) file.leave_open();
    return failed;
}

}  // namespace chiphost::isolate
