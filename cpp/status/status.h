// SPDX-License-Identifier: Apache-2.0
//
// The return type of functions that can fail.
#pragma once

#include <stdint.h>

#include "chiphost/abi/error.h"

namespace chiphost {

// The code of an error, CH_OK for success. A function that returns one has a parameter `ch_error* out_error`, which it
// fills when it fails: with the same code, the place, and the words. Nobody may drop a Status. It converts to and from
// the int32_t that stands for it in C interfaces, but not to bool: `if (status)` would read as the opposite.
class [[nodiscard]] Status {
public:
    constexpr Status() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): functions of a C interface return codes
    constexpr Status(int32_t code) : code_(code) {}

    constexpr bool ok() const { return code_ == CH_OK; }
    constexpr int32_t code() const { return code_; }
    constexpr operator int32_t() const { return code_; }
    explicit operator bool() const = delete;

private:
    int32_t code_ = CH_OK;
};

}  // namespace chiphost

// Hands a failure on to the caller: evaluates an expression once and returns its Status from the function around it
// unless that is CH_OK.
#define CH_TRY(...)                                                                                            \
    do {                                                                                                       \
        if (const ::chiphost::Status ch_try_status = (__VA_ARGS__); !ch_try_status.ok()) return ch_try_status; \
    } while (false)
