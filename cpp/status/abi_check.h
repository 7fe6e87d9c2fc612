// SPDX-License-Identifier: Apache-2.0
//
// Checks of the header with which the table of another program begins.
#pragma once

#include <stdint.h>

#include <string_view>

#include "chiphost/abi/error.h"
#include "chiphost/abi/header.h"
#include "status.h"

namespace chiphost {

// The properties that the receiver of a table expects of it.
struct Expected {
    ch_abi_kind kind;
    uint16_t major;
    uint16_t minor;
    uint32_t table_bytes;       // size of the receiver's own declaration
    std::string_view platform;  // "a2a3sim"; "" accepts every platform
};

// CH_OK, or CH_ABI_MISMATCH with wanted and found. `where` names the library.
Status check_header(const ch_abi_header& header, const Expected& expected, std::string_view where, ch_error* out_error);

// The check in the other direction: the header that an orchestration exports says what table it wants. It may want an
// earlier minor version than this program has. `abi` NULL: CH_ENTRY_MISSING, because it does not export the symbol.
Status check_wanted(const ch_abi_header* abi, const char* symbol, const Expected& provided, std::string_view where,
                    ch_error* out_error);

}  // namespace chiphost
