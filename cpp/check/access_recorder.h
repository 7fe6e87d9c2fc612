// SPDX-License-Identifier: Apache-2.0
//
// How instrumented programs say what they read and write. A kernel or an orchestration that is compiled for checks is
// linked with callbacks.cpp, whose functions the compiler calls before every access to memory (the interface of
// ThreadSanitizer). They note the access here. The checker (checker.h) owns the recorder, says what is allowed, and
// reads what was done.
//
// An access costs a look at one entry and at one word. Everything else goes through the functions of the record: the
// first access to a page, what is not allowed, and whatever is rare.
#pragma once

#include <stdint.h>

namespace chiphost::check {

constexpr uint32_t recorder_format = 1;  // changes with the record

constexpr uint32_t page_bits = 12;
constexpr uint64_t page_bytes = uint64_t{1} << page_bits;
constexpr uint32_t words_of_page = page_bytes / 64;

// What was done to 64 bytes, and what may be done: a bit for each byte.
struct AccessWord {
    uint64_t read;
    uint64_t written;
    uint64_t may_read;
    uint64_t may_write;
};

// How an atomic operation uses memory. Of those from `add` on, two of the same kind leave the same value in either
// order.
enum class AtomicUse : uint32_t { load = 0, store = 1, update = 2, add = 3, bit_and = 4, bit_or = 5, bit_xor = 6 };

// The record. Used by one host thread at a time.
struct AccessRecorder {
    static constexpr uint32_t entry_count = 256;
    static constexpr uint32_t stack_max = 64;

    struct Entry {
        uint64_t tag;  // number of the page, and `generation`
        AccessWord* words;
    };

    uint32_t format;  // recorder_format
    uint32_t depth;   // functions that have been entered and not left; only the first stack_max are in `stack`
    // In the bits above any page's number. Another one makes all entries invalid: another kernel runs.
    uint64_t generation;
    // Notes an access that the entries do not allow: of a page that is not there, of bytes of two words, or refused.
    void (*access)(AccessRecorder* self, uint64_t address, uint64_t bytes, uint32_t write, const void* code);
    // Notes an atomic operation. `after` 0: before it is done; 1: the same, and it releases; 2: after it was done, for
    // it acquires.
    void (*atomic)(AccessRecorder* self, uint64_t address, uint64_t bytes, AtomicUse use, uint32_t after,
                   const void* code);
    const void* stack[stack_max];  // return addresses of the callers, outermost first
    Entry entries[entry_count];

    static uint32_t entry_of(uint64_t page) { return static_cast<uint32_t>(page ^ page >> 8) % entry_count; }
};

// Exported by instrumented programs: gives the program its recorder, nullptr to take it back. Returns recorder_format.
#define CHIPHOST_CHECK_ATTACH "chiphost_check_attach"
using Attach = uint32_t (*)(AccessRecorder* recorder);

}  // namespace chiphost::check
