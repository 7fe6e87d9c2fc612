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

    bool operator==(const RuntimeFiles& other) const {
        return host == other.host && aicpu == other.aicpu && aicore == other.aicore;
    }
};

// On a real chip the device programs are no libraries of this process: they are for other processors, and whoever opens
// the device says what is wrong with them, or with the chip.
bool is_real_chip(const std::string& platform);

// Identity of a file: another key as soon as it was written again. CH_FILE_UNREADABLE.
Status file_key(const std::string& path, std::string* out_key, ch_error* out_error);

// Identity of a set of files: another key as soon as one of them was written again. The device programs of a real chip
// may be missing: opening the device says more of that. CH_FILE_UNREADABLE.
Status runtime_key(const RuntimeFiles& files, const std::string& platform, std::string* out_key, ch_error* out_error);

// Refuses files that no namespace need be spent on. *out_unique_symbol is a symbol of the host program that is
// STB_GNU_UNIQUE, "" if there is none.
Status check_files(const RuntimeFiles& files, const std::string& platform, std::string* out_unique_symbol,
                   ch_error* out_error);

}  // namespace chiphost::worker
