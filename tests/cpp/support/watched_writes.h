// SPDX-License-Identifier: Apache-2.0
//
// Sees every file that this program writes to, while it writes: a file that is gone a moment later, or has no name.
// Include it in one file of a test; it defines write().
#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mutex>
#include <string>
#include <vector>

namespace chiphost::tests {

// Watches from its beginning to its end; one at a time.
class WatchedWrites {
public:
    struct Seen {
        std::string path;  // as /proc says it
        mode_t mode;
        bool close_on_exec;
    };
    WatchedWrites() { set_current(this); }
    ~WatchedWrites() { set_current(nullptr); }
    WatchedWrites(const WatchedWrites&) = delete;
    WatchedWrites& operator=(const WatchedWrites&) = delete;

    const std::vector<Seen>& seen() const { return seen_; }

    static void look_at(int file) {
        const std::lock_guard lock(mutex());
        struct stat status{};
        if (!current() || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return;
        char path[512];
        const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), path, sizeof path);
        current()->seen_.push_back({std::string(path, length > 0 ? static_cast<size_t>(length) : 0), status.st_mode,
                                    (fcntl(file, F_GETFD) & FD_CLOEXEC) != 0});
    }

private:
    static std::mutex& mutex() {
        static std::mutex of_all;
        return of_all;
    }
    static WatchedWrites*& current() {
        static WatchedWrites* watching = nullptr;
        return watching;
    }
    static void set_current(WatchedWrites* watching) {
        const std::lock_guard lock(mutex());
        current() = watching;
    }

    std::vector<Seen> seen_;
};

}  // namespace chiphost::tests

// This takes the place of the C library's function, which it calls.
extern "C" __attribute__((visibility("default"))) ssize_t write(int file, const void* data, size_t bytes) {
    static const auto real = reinterpret_cast<ssize_t (*)(int, const void*, size_t)>(dlsym(RTLD_NEXT, "write"));
    chiphost::tests::WatchedWrites::look_at(file);
    return real(file, data, bytes);
}
