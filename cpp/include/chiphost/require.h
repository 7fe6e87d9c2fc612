// SPDX-License-Identifier: Apache-2.0
//
// The checks by which an orchestration refuses what it is given. It includes little, because every orchestration is
// compiled with it.
//
// Threads: any.
// Errors: none, unless a function says otherwise.
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include <exception>

namespace chiphost {

// An orchestration throws it when its arguments are not what it expects; the text becomes the run's error.
class BadArgument : public std::exception {
public:
    // Makes one with a message of at most 255 characters; what is longer is cut off.
    //
    // format: as for printf.
    // values: what the format names.
    BadArgument(const char* format, va_list values) { vsnprintf(text_, sizeof text_, format, values); }
    // Gives the message.
    //
    // Ownership: the exception's.
    const char* what() const noexcept override { return text_; }

private:
    char text_[256];
};

// Checks a condition.
//
// condition: what must hold.
// format: the message if it does not, as for printf; the values follow.
// Errors: throws BadArgument unless the condition holds.
[[gnu::format(printf, 2, 3)]]
inline void require(bool condition, const char* format, ...) {
    if (condition) return;
    va_list values;
    va_start(values, format);
    const BadArgument error(format, values);
    va_end(values);
    throw error;
}

}  // namespace chiphost
