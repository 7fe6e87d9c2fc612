// SPDX-License-Identifier: Apache-2.0
//
// A library with a variable, and with an end that can be seen. ANSWER tells builds of it apart.
#include <stdint.h>

namespace {

uint64_t calls = 0;
uint64_t* closed = nullptr;

}  // namespace

extern "C" {

uint64_t conformance_answer() {
    return ANSWER;
}

uint64_t conformance_count() {
    return ++calls;
}

void conformance_mark_at_close(uint64_t* counter) {
    closed = counter;
}

__attribute__((destructor)) static void mark_close() {
    if (closed) ++*closed;
}

}  // extern "C"
