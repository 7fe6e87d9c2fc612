// SPDX-License-Identifier: Apache-2.0
//
// The file of a device program, looked at before the vendor's software gets it: that answers with a number, and keeps
// the first AICPU program of a process, right or wrong.
#pragma once

#include <string>
#include <string_view>

#include "chiphost/abi/error.h"
#include "status/status.h"

namespace chiphost::platform {

// Reads a file. CH_FILE_UNREADABLE says where it would have come from: `origin`.
Status read_program(const char* path, const char* origin, std::string* out_bytes, ch_error* out_error);

// CH_OK if the bytes are an ELF file that defines the symbol; else CH_NOT_ELF, CH_FILE_TRUNCATED or CH_ENTRY_MISSING.
// For any processor's files.
Status check_entry(std::string_view bytes, std::string_view symbol, const char* path, ch_error* out_error);

}  // namespace chiphost::platform
