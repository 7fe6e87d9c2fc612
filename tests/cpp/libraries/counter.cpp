// SPDX-License-Identifier: Apache-2.0
//
// A library with state: every call counts one more.
#include <stdint.h>

static int32_t calls = 0;

extern "C" __attribute__((visibility("default"))) int32_t count_call(void*, const void*, void*) {
    return ++calls;
}
