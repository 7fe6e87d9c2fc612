// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <string>

namespace chiphost::isolate {

// The end of what a child process has written to stderr, in memory that it shares with its parent. The child's
// forwarding thread takes it out of a pipe; the parent reads it when the child has ended. That may be at any
// instruction, also when bytes have left the pipe and been counted nowhere. So the thread reads into memory that the
// parent sees, cleared before: what is there and not yet in the ring are those bytes. (NULs at their end are lost.)
// Begins as zeros.
struct StderrTail {
    static constexpr size_t capacity = 4096;

    // The child: memory for the next read, `capacity` bytes.
    char* stage() {
        memset(staged, 0, sizeof staged);
        __atomic_store_n(&staged_at, end, __ATOMIC_RELEASE);
        return staged;
    }

    // The child: so many bytes were read into it.
    void keep(size_t bytes) {
        for (size_t i = 0; i < bytes; ++i) ring[(end + i) % capacity] = staged[i];
        __atomic_store_n(&end, end + bytes, __ATOMIC_RELEASE);
    }

    // The child: all that was kept is where the program's stderr goes, too.
    void mark_forwarded() { __atomic_store_n(&forwarded, end, __ATOMIC_RELEASE); }

    // The parent, while the child lives: the position from which since() may be asked for.
    uint64_t position() const { return __atomic_load_n(&end, __ATOMIC_ACQUIRE); }

    // The parent, when the child has ended: what came after the position, at most the last `capacity` bytes and what
    // was about to be kept.
    std::string since(uint64_t begin) const {
        std::string text;
        const uint64_t oldest = end - std::min<uint64_t>(end, capacity);
        for (uint64_t at = std::max(begin, oldest); at < end; ++at) text += ring[at % capacity];
        if (staged_at == end) {
            size_t bytes = capacity;
            while (bytes != 0 && staged[bytes - 1] == 0) --bytes;
            text.append(staged, bytes);
        }
        return text;
    }

    uint64_t end;        // bytes kept so far
    uint64_t staged_at;  // `end` when `staged` was cleared: as long as they are equal, it holds bytes not yet kept
    uint64_t forwarded;  // bytes passed on so far
    char ring[capacity];
    char staged[capacity];
};

}  // namespace chiphost::isolate
