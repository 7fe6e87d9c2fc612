// SPDX-License-Identifier: Apache-2.0
//
// A library without state, that throws and catches: the compiler's own pointers must not be taken for variables.
#include <stdint.h>

#include <stdexcept>

extern "C" __attribute__((visibility("default"))) int32_t seven(void*, const void*, void*) {
    try {
        throw std::runtime_error("caught at once");
    } catch (const std::exception&) {
        return 7;
    }
}
