// SPDX-License-Identifier: Apache-2.0
//
// The exception of isolated libraries.
#pragma once

#include <stdexcept>
#include <string>

#include "chiphost/abi/error.h"

namespace chiphost::isolate {

// The functions of chiphost/isolate throw it. what() is "NAME: where: message"; docs/error-codes.md has all names.
//
// Threads: any.
// Errors: none.
class Error : public std::runtime_error {
public:
    // Makes the exception for a record.
    //
    // error: copied.
    explicit Error(const ch_error& error);

    // Gives the code of the row in the table of errors.
    ch_code code() const { return code_; }
    // Gives the place: a file, a function, an argument.
    //
    // Ownership: the exception's.
    const std::string& where() const { return where_; }
    // Gives what happened, with the values.
    //
    // Ownership: the exception's.
    const std::string& message() const { return message_; }

private:
    ch_code code_;
    std::string where_;
    std::string message_;
};

}  // namespace chiphost::isolate
