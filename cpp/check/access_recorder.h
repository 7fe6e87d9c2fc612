// SPDX-License-Identifier: Apache-2.0
//
// How instrumented programs say what they read and write. A kernel or an orchestration that is compiled for checks is
// linked with callbacks.cpp, whose functions the compiler calls before every access to memory (the interface of
// ThreadSanitizer). They note the access here. The checker (checker.h) owns the recorder, says what is allowed, and
// reads what was done.
//
// An access costs a look at the states of its bytes, which are in shadow memory: as far from the bytes for every
// address. Everything else goes through the functions of the record: the first access to a page, what is not allowed,
// and whatever is rare.
#pragma once

#include <stdint.h>

namespace chiphost::check {

constexpr uint32_t recorder_format = 2;  // changes with the record

constexpr uint32_t page_bits = 12;
constexpr uint64_t page_bytes = uint64_t{1} << page_bits;

// What was done to a byte, and what may be done.
enum ByteState : uint8_t { was_read = 1, was_written = 2, may_read = 4, may_write = 8, any_state = 15 };

// One page of memory as one kernel sees it: a ByteState for each byte.
struct Page {
    uint8_t state[page_bytes];
};

// How an atomic operation uses memory. Of those from `add` on, two of the same kind leave the same value in either
// order.
enum class AtomicUse : uint32_t { load = 0, store = 1, update = 2, add = 3, bit_and = 4, bit_or = 5, bit_xor = 6 };

// The record. Used by one host thread at a time.
struct AccessRecorder {
    static constexpr uint32_t stack_max = 64;

    uint32_t format;  // recorder_format
    uint32_t depth;   // functions that have been entered and not left; only the first stack_max are in `stack`
    // Memory that is looked at begins here and has as many bytes; these do not change. All else may be used freely.
    uint64_t begin;
    uint64_t bytes;
    // Add an address to this, and it is the address of that byte's state for who runs now. All are 0 to begin with.
    uint64_t states;
    // Notes an access that the states do not allow: the first one to a page, or one that is refused.
    void (*access)(AccessRecorder* self, uint64_t address, uint64_t bytes, uint32_t write, const void* code);
    // Notes an atomic operation. `after` 0: before it is done; 1: the same, and it releases; 2: after it was done, for
    // it acquires.
    void (*atomic)(AccessRecorder* self, uint64_t address, uint64_t bytes, AtomicUse use, uint32_t after,
                   const void* code);
    // Writes the lines of [address, address + bytes) back from the core's data cache and drops them; 0 bytes: all
    // lines.
    void (*flush)(AccessRecorder* self, uint64_t address, uint64_t bytes);
    // What is accessed from now on stands for block copies, or does so no more.
    void (*block_copy)(AccessRecorder* self, uint32_t begins);
    const void* stack[stack_max];  // return addresses of the callers, outermost first
};

// Exported by instrumented programs: gives the program its recorder, nullptr to take it back. Returns recorder_format.
#define CHIPHOST_CHECK_ATTACH "chiphost_check_attach"
using Attach = uint32_t (*)(AccessRecorder* recorder);

}  // namespace chiphost::check
