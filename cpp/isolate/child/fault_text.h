// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <string>

namespace chiphost::isolate {

// The text of a child process about the fault that ends it, in memory that it shares with its parent. It is not written
// to stderr: the parent's error has it, and whoever sees both would read it twice. Begins as zeros.
struct FaultText {
    static constexpr size_t capacity = 2048;

    // Called by the child, in one thread at a time, also in a signal handler. What does not fit is left out.
    void add(const char* said, size_t count) {
        const size_t at = std::min<size_t>(bytes, capacity);  // the code at fault may have written here, too
        count = std::min(count, capacity - at);
        memcpy(text + at, said, count);
        __atomic_store_n(&bytes, at + count, __ATOMIC_RELEASE);
    }

    // Called by the parent when the child has ended.
    std::string get() const {
        return {text, std::min(static_cast<size_t>(__atomic_load_n(&bytes, __ATOMIC_ACQUIRE)), capacity)};
    }

    uint64_t bytes;
    char text[capacity];
};

}  // namespace chiphost::isolate
