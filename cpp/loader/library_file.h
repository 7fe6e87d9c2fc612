// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "chiphost/abi/error.h"
#include "status/status.h"

namespace chiphost::loader {

// Reads a whole file. Fails with CH_FILE_UNREADABLE and the system's reason.
Status read_file(const std::string& path, std::vector<char>* out_bytes, ch_error* out_error);

}  // namespace chiphost::loader
