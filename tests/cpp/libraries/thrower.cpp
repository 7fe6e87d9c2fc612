// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>

#include <stdexcept>

extern "C" __attribute__((visibility("default"))) int32_t throw_out(void*, const void*, void*) {
    throw std::runtime_error("not caught in the library");
}
