// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

namespace chiphost::os {

// The folder in which the open files of this process have paths, written to out_text. Its path names the process where
// it can: a debugger opens the same path, and has a /proc/self of its own. False where there is no /proc, or one that
// belongs to another system of processes: there an equal path may even be another process's file. For any thread;
// allocates nothing.
inline bool folder_of_own_files(int descriptor, char (&out_text)[32]) {
    struct stat own{};
    if (fstat(descriptor, &own) != 0) return false;
    for (const bool by_number : {true, false}) {
        if (by_number) {
            snprintf(out_text, sizeof out_text, "/proc/%d/fd", static_cast<int>(getpid()));
        } else {
            snprintf(out_text, sizeof out_text, "/proc/self/fd");
        }
        char path[64];
        snprintf(path, sizeof path, "%s/%d", out_text, descriptor);
        struct stat found{};
        if (stat(path, &found) == 0 && found.st_dev == own.st_dev && found.st_ino == own.st_ino) return true;
    }
    return false;
}

}  // namespace chiphost::os
