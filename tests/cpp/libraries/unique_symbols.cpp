// SPDX-License-Identifier: Apache-2.0
//
// A static of a template: g++ makes it STB_GNU_UNIQUE unless told otherwise, and then the library is never unloaded.
#include <stdint.h>

template <typename T>
struct __attribute__((visibility("default"))) Once {
    static int32_t calls;
};
template <typename T>
int32_t Once<T>::calls = 0;

extern "C" __attribute__((visibility("default"))) int32_t count_call(void*, const void*, void*) {
    return ++Once<int>::calls;
}
