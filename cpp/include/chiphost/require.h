// SPDX-License-Identifier: Apache-2.0
//
// How orchestrations check what they are given. Includes little, because every orchestration is compiled with it.
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include <exception>

namespace chiphost {

// What an orchestration throws when its arguments are not what it expects; the text becomes the run's error.
class BadArgument : public std::exception {
public:
    BadArgument(const char* format, va_list values) { vsnprintf(text_, sizeof text_, format, values); }
    const char* what() const noexcept override { return text_; }

private:
    char text_[256];
};

// Throws BadArgument with the message (as for printf) unless the condition holds.
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
