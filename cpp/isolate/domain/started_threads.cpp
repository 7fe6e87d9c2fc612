// SPDX-License-Identifier: Apache-2.0
#include "started_threads.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <fstream>
#include <memory>

#include "chiphost/abi/mailbox.h"
#include "loader/loader_gate.h"

namespace chiphost::isolate {

namespace {

constexpr const char* own_name = "chiphost";  // how the names of all threads of chiphost begin
constexpr uint64_t ending_ns_max = 20'000'000;

std::string task_file(int32_t thread, const char* file) {
    return "/proc/self/task/" + std::to_string(thread) + "/" + file;
}

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

// The mask of blocked signals in the kernel's words; "" if the thread is gone.
std::string blocked_signals(int32_t thread) {
    std::ifstream file(task_file(thread, "status"));
    for (std::string line; std::getline(file, line);) {
        if (line.compare(0, 7, "SigBlk:") == 0) return line.substr(7);
    }
    return "";
}

bool rename(int32_t thread, const std::string& name) {
    std::ofstream file(task_file(thread, "comm"));
    file << name;
    return static_cast<bool>(file.flush());
}

bool list_threads(std::set<int32_t>* out_threads) {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/task"), closedir);
    if (!folder) return false;
    while (const dirent* entry = readdir(folder.get())) {
        if (const int number = atoi(entry->d_name)) out_threads->insert(number);
    }
    return true;
}

// "chiphost." and a number: what 15 characters have room for.
std::string unused_name() {
    static std::atomic<uint32_t> number{0};
    char name[16];
    snprintf(name, sizeof name, "%s%06x", watched_name, ++number & 0xffffff);
    return name;
}

}  // namespace

bool StartedThreads::watch(int32_t thread) {
    thread_ = thread;
    name_ = unused_name();
    name_before_ = first_line(task_file(thread, "comm"));
    mask_ = blocked_signals(thread);
    before_.clear();
    watching_ = !mask_.empty() && rename(thread, name_) && list_threads(&before_);
    return watching_;
}

void StartedThreads::unwatch() {
    if (watching_) rename(thread_, name_before_);
}

std::string StartedThreads::find_now(bool* out_known) const {
    std::set<int32_t> threads;
    *out_known = watching_ && list_threads(&threads);
    if (!*out_known) return "";
    for (const int32_t thread : threads) {
        if (before_.count(thread)) continue;
        const std::string name = first_line(task_file(thread, "comm"));
        if (name == name_) return name;
        if (const int32_t origin = ch_thread_origins_of(loader::loader_gate_of_this_process()->origins, thread)) {
            if (origin == thread_ && !name.empty()) return name;
            continue;
        }
        if (name.compare(0, strlen(own_name), own_name) == 0) continue;
        if (!name.empty() && blocked_signals(thread) == mask_) return name;
    }
    return "";
}

std::string StartedThreads::find(bool* out_known) const {
    const uint64_t start = ch_monotonic_ns();
    for (;;) {
        std::string name = find_now(out_known);
        if (name.empty() || ch_monotonic_ns() - start > ending_ns_max) return name;
        sched_yield();
    }
}

}  // namespace chiphost::isolate
