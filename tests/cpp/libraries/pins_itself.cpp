// SPDX-License-Identifier: Apache-2.0
//
// A thread_local with a destructor: a thread that has used it must run code of this library when it ends.
#include <stdint.h>

namespace {

struct Count {
    ~Count() { ++calls; }
    int32_t calls = 0;
};

thread_local Count count;

}  // namespace

extern "C" __attribute__((visibility("default"))) int32_t count_call(void*, const void*, void*) {
    return ++count.calls;
}
