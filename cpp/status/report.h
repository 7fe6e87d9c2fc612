// SPDX-License-Identifier: Apache-2.0
//
// Functions that fill an error record from chiphost's own code.
#pragma once

#include <stdarg.h>

#include <string_view>

#include "chiphost/abi/error.h"

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

// Copies a record that another program wrote into memory that both use, and returns its code. The texts of the copy
// end, whatever the other program wrote.
int32_t copy_record(const ch_error& from, ch_error* out_error);

// Copies text into a record. What does not fit is cut.
void copy_text(char* to, size_t bytes, std::string_view from);

// Name of a code's row in the error table, "UNKNOWN" for a number that has no row.
const char* code_name(int32_t code);

}  // namespace chiphost
