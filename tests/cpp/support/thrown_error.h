// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "chiphost/isolate/library.h"

namespace chiphost::tests {

// The code and text of the Error that a body throws; CH_OK if it throws none.
template <typename Body>
std::pair<ch_code, std::string> error_of(Body&& body) {
    try {
        body();
    } catch (const isolate::Error& error) {
        return {error.code(), error.what()};
    }
    return {CH_OK, "no error"};
}

template <typename Body>
ch_code code_of(Body&& body) {
    return error_of(body).first;
}

}  // namespace chiphost::tests
