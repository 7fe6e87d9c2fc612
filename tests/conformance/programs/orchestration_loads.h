// SPDX-License-Identifier: Apache-2.0
//
// Work::orchestrations: libraries of orchestrations are loaded, asked and closed.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chiphost/platform/aicpu.h"
#include "conformance/script.h"
#include "launch_memory.h"
#include "status/report.h"

namespace chiphost::conformance {

class OrchestrationLoads {
public:
    OrchestrationLoads(Script& script, platform::AicpuPort* port) : script_(script), port_(port) {}

    // Loads all libraries, asks them, closes them; then loads the first one again.
    void run() {
        void* handles[libraries_max] = {};
        for (uint32_t i = 0; i < script_.library_count; ++i) {
            LibraryRecord& record = script_.loaded[i];
            handles[i] = load(i);
            if (!handles[i]) continue;
            const auto answer = reinterpret_cast<Answer>(find(handles[i], "conformance_answer"));
            if (answer) record.answer = answer();
            record.unknown_found = find(handles[i], "conformance_unknown") != nullptr;
            record.first_count = count(handles[i]);
            const auto mark = reinterpret_cast<Mark>(find(handles[i], "conformance_mark_at_close"));
            if (mark) mark(at<uint64_t>(script_.close_marks) + i);
        }
        for (void* handle : handles) {
            if (handle) platform::close_device_orch_so(port_, handle);
        }
        for (uint32_t i = 0; i < script_.library_count; ++i) {
            if (!handles[i]) continue;
            void* again = load(i);
            if (!again) continue;
            script_.loaded[i].second_count = count(again);
            platform::close_device_orch_so(port_, again);
        }
        if (script_.temp_folder[0] == '\0') return;
        look_for_files(script_.temp_folder);
        look_for_files(P_tmpdir);
    }

private:
    using Answer = uint64_t (*)();
    using Mark = void (*)(uint64_t*);

    // This runs here, because the disk may be the AICPU's own. A platform may change a library that it loads, but not
    // at its end.
    void look_for_files(const char* folder) {
        DIR* entries = opendir(folder);
        if (!entries) return;
        while (const dirent* entry = readdir(entries)) {
            for (uint32_t i = 0; i < script_.library_count; ++i) {
                if (!ends_as_library(dirfd(entries), entry->d_name, i)) continue;
                ++script_.files_left;
                copy_text(script_.file_left, sizeof script_.file_left, entry->d_name);
            }
        }
        closedir(entries);
    }

    bool ends_as_library(int folder, const char* name, uint32_t index) const {
        char end[mark_bytes];
        const uint64_t bytes = script_.library_bytes[index];
        struct stat about{};
        if (fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode)) return false;
        if (static_cast<uint64_t>(about.st_size) != bytes) return false;
        const int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (file < 0) return false;
        const ssize_t got = pread(file, end, sizeof end, static_cast<off_t>(bytes - sizeof end));
        close(file);
        return got == static_cast<ssize_t>(sizeof end) &&
               memcmp(end, at<const char>(script_.libraries[index]) + bytes - sizeof end, sizeof end) == 0;
    }

    void* load(uint32_t index) {
        LibraryRecord& record = script_.loaded[index];
        ch_error error = no_error();
        void* handle = nullptr;
        record.code =
            platform::load_device_orch_so(port_, at<const void>(script_.libraries[index]), script_.library_bytes[index],
                                          script_.library_name, &handle, &error);
        record.error_code = error.code;
        copy_text(record.where, sizeof record.where, error.where);
        copy_text(record.message, sizeof record.message, error.message);
        if (record.code != CH_OK) return nullptr;
        ++record.loads;
        return handle;
    }

    static void* find(void* handle, const char* symbol) { return platform::find_in_device_orch_so(handle, symbol); }
    static uint64_t count(void* handle) {
        const auto counts = reinterpret_cast<Answer>(find(handle, "conformance_count"));
        return counts ? counts() : 0;
    }

    Script& script_;
    platform::AicpuPort* const port_;
};

}  // namespace chiphost::conformance
