// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <string>

namespace chiphost {

int32_t report_list(ch_error* out_error, ch_code code, std::string_view where, const char* format, va_list values) {
    out_error->code = code;
    out_error->detail_code = 0;
    out_error->task = -1;
    out_error->core = -1;
    out_error->func_id = -1;
    copy_text(out_error->where, sizeof out_error->where, where);
    vsnprintf(out_error->message, sizeof(out_error->message), format, values);
    return code;
}

int32_t report(ch_error* out_error, ch_code code, std::string_view where, const char* format, ...) {
    va_list values;
    va_start(values, format);
    report_list(out_error, code, where, format, values);
    va_end(values);
    return code;
}

void append(ch_error* inout_error, const char* format, ...) {
    char* const message = inout_error->message;
    const size_t used = strnlen(message, sizeof inout_error->message);
    va_list values;
    va_start(values, format);
    vsnprintf(message + used, sizeof inout_error->message - used, format, values);
    va_end(values);
}

ch_error no_error() {
    ch_error error{};
    error.task = error.core = error.func_id = -1;
    return error;
}

const char* code_name(int32_t code) {
    switch (code) {
        case CH_OK:
            return "OK";
#define CH_ERROR(number, name, python_class, meaning, remedy) \
    case number:                                              \
        return #name;
#include "chiphost/abi/errors.def"
        default:
            return "UNKNOWN";
    }
}

int32_t copy_record(const ch_error& from, ch_error* out_error) {
    *out_error = from;
    out_error->where[sizeof out_error->where - 1] = '\0';
    out_error->message[sizeof out_error->message - 1] = '\0';
    return out_error->code;
}

void copy_text(char* to, size_t bytes, std::string_view from) {
    const size_t length = std::min(from.size(), bytes - 1);
    memcpy(to, from.data(), length);
    to[length] = '\0';
}

}  // namespace chiphost
