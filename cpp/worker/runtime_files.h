// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "status/status.h"

namespace chiphost::worker {

// The three programs of one runtime on one platform.
struct RuntimeFiles {
    std::string host;
    std::string aicpu;
    std::string aicore;
    // The device programs are for other processors than this one, and may be missing: they are no libraries of this
    // process, and whoever opens the device says what is wrong with them, or with the chip.
    bool cross_compiled = false;

    bool operator==(const RuntimeFiles& other) const {
        return host == other.host && aicpu == other.aicpu && aicore == other.aicore;
    }
};

// Identity of a file: another key as soon as it was written again. CH_FILE_UNREADABLE.
Status file_key(const std::string& path, std::string* out_key, ch_error* out_error);

// Identity of a set of files: another key as soon as one of them was written again. CH_FILE_UNREADABLE.
Status runtime_key(const RuntimeFiles& files, std::string* out_key, ch_error* out_error);

// Refuses files that no namespace need be spent on. *out_unique_symbol is a symbol of the host program that is
// STB_GNU_UNIQUE, "" if there is none.
Status check_files(const RuntimeFiles& files, std::string* out_unique_symbol, ch_error* out_error);

}  // namespace chiphost::worker
