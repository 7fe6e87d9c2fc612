// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

namespace chiphost::os {

// The folder for temporary files of this process: TMPDIR, or the system's own. The path is absolute, so that it is the
// same when the program has changed its working folder. The caller has to find out whether the folder exists. Throws
// std::bad_alloc.
inline std::string temporary_folder() {
    const char* variable = getenv("TMPDIR");
    std::string folder = variable && *variable ? variable : P_tmpdir;
    if (folder.front() == '/') return folder;
    char* here = getcwd(nullptr, 0);
    if (!here) return folder;
    const std::string working_folder = here;
    free(here);
    return working_folder + "/" + folder;
}

}  // namespace chiphost::os
