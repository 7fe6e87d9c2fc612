// SPDX-License-Identifier: Apache-2.0
//
// Functions that fill an error record from chiphost's own code, and the check of another program's table.
#pragma once

#include <stdarg.h>

#include <string_view>

#include "chiphost/abi/error.h"
#include "chiphost/abi/header.h"
#include "status.h"

namespace chiphost {

// Fills the record and returns the code, so that a failing function can say `return report(...)`. Task, core and
// func_id become "none"; set them afterwards if there are any. Text that does not fit is cut.
[[gnu::format(printf, 4, 5)]]
int32_t report(ch_error* out_error, ch_code code, std::string_view where, const char* format, ...);

// Like `report`, with the values of the format as a list.
[[gnu::format(printf, 4, 0)]]
int32_t report_list(ch_error* out_error, ch_code code, std::string_view where, const char* format, va_list values);

// Adds text to the message of an error, as far as there is room.
[[gnu::format(printf, 2, 3)]]
void append(ch_error* inout_error, const char* format, ...);

// A record that says "no error".
ch_error no_error();

// Copies text into a record. What does not fit is cut.
void copy_text(char* to, size_t bytes, std::string_view from);

// Name of a code's row in the error table, "UNKNOWN" for a number that has no row.
const char* code_name(int32_t code);

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
