// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

#include "chiphost/abi/error.h"

namespace chiphost::isolate {

// What the functions of chiphost/isolate throw. what() is "NAME: where: message"; docs/error-codes.md has all names.
class Error : public std::runtime_error {
public:
    explicit Error(const ch_error& error);

    ch_code code() const { return code_; }
    const std::string& where() const { return where_; }      // a file, a function, an argument
    const std::string& message() const { return message_; }  // what happened, with the values

private:
    ch_code code_;
    std::string where_;
    std::string message_;
};

}  // namespace chiphost::isolate
