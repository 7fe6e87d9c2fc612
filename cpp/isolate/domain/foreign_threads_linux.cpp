// SPDX-License-Identifier: Apache-2.0
#include "foreign_threads.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "os/folder_entries_linux.h"
#include "started_threads.h"

namespace chiphost::isolate {

namespace {

constexpr std::string_view name_of_all = "chiphost";  // how the names of all threads of chiphost begin

// A thread as the kernel describes it in /proc/self/task/<number>/stat.
struct ThreadStatus {
    std::string_view name;
    char state;
    unsigned long flags;
    unsigned long long start_ticks;
    unsigned long blocked;  // signals 1 to 31
};

// False if there is no such thread any more. The name is in the buffer.
bool read_status(const char* number, char* buffer, size_t bytes, ThreadStatus* out_status) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", number);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    const ssize_t got = read(file, buffer, bytes - 1);
    close(file);
    if (got <= 0) return false;
    buffer[got] = 0;
    const char* begin = strchr(buffer, '(');
    const char* end = strrchr(buffer, ')');
    if (!begin || !end) return false;
    out_status->name = {begin + 1, static_cast<size_t>(end - begin - 1)};
    // Fields 3, 9, 22 and 32 of proc(5).
    return sscanf(end + 1,
                  " %c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu %*u %*d %*u %*u "
                  "%*u %*u %*u %*u %*u %lu",
                  &out_status->state, &out_status->flags, &out_status->start_ticks, &out_status->blocked) == 4;
}

bool is_ending(const ThreadStatus& status) {
    constexpr unsigned long exiting = 0x4;  // PF_EXITING
    return status.state == 'Z' || status.state == 'X' || (status.flags & exiting) != 0;
}

// Signals 1 to 31 as the kernel writes them. It lets nobody block two of them.
unsigned long word_of(const sigset_t& blocked) {
    unsigned long word = 0;
    for (int number = 1; number < 32; ++number) {
        if (number == SIGKILL || number == SIGSTOP) continue;
        if (sigismember(&blocked, number) == 1) word |= 1ul << (number - 1);
    }
    return word;
}

// True for a thread that comes from one that is lent to an open library. Such a thread is not counted: whoever closes
// the library looks for it.
bool is_watched(int32_t thread) {
    char number[16];
    snprintf(number, sizeof number, "%d", thread);
    char buffer[1024];
    ThreadStatus status{};
    return read_status(number, buffer, sizeof buffer, &status) &&
           status.name.substr(0, strlen(watched_name)) == watched_name;
}

bool is_foreign(const ThreadStatus& status, const InheritedTraits& traits, int32_t origin, bool counts) {
    if (status.name == traits.name) return true;
    if (status.name.substr(0, name_of_all.size()) == name_of_all) return false;
    if (origin != 0) return counts;
    const unsigned long blocked = word_of(traits.blocked);
    return status.blocked == blocked && blocked != word_of(traits.blocked_by_program);
}

}  // namespace

ForeignThreads ForeignThreads::find(const InheritedTraits& traits, const int32_t* own, size_t own_count) {
    ForeignThreads found;
    found.tick_ns_ = 1'000'000'000 / static_cast<uint64_t>(std::max(1L, sysconf(_SC_CLK_TCK)));
    const int folder = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        found.all_known_ = false;
        return found;
    }
    const auto look_at = [&](const char* number) {
        const auto is_own = [&](int32_t thread) { return std::find(own, own + own_count, thread) != own + own_count; };
        const int32_t thread = atoi(number);
        if (is_own(thread)) return;
        char buffer[1024];
        ThreadStatus status{};
        if (!read_status(number, buffer, sizeof buffer, &status) || is_ending(status)) return;
        const int32_t origin = ch_thread_origins_of(traits.origins, thread);
        if (!is_foreign(status, traits, origin, is_own(origin) && !is_watched(origin))) return;
        if (found.count_ == count_max) {
            found.all_known_ = false;
        } else {
            found.began_ns_[found.count_++] = status.start_ticks * found.tick_ns_;
        }
    };
    found.all_known_ = os::for_each_entry(folder, look_at) && found.all_known_;
    close(folder);
    return found;
}

uint64_t ForeignThreads::last_ns() const {
    if (!all_known_) return UINT64_MAX;
    return count_ == 0 ? 0 : *std::max_element(began_ns_, began_ns_ + count_) + tick_ns_;
}

bool ForeignThreads::began_between(uint64_t from_ns, uint64_t to_ns) const {
    const auto between = [&](uint64_t began) { return began + tick_ns_ >= from_ns && began <= to_ns; };
    return !all_known_ || std::any_of(began_ns_, began_ns_ + count_, between);
}

}  // namespace chiphost::isolate
