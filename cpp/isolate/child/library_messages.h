// SPDX-License-Identifier: Apache-2.0
//
// The messages of a library handle to the child that has the library, as they lie in the shared arena
// (child_protocol.h). Offsets count from the arena's beginning.
#pragma once

#include <stdint.h>

namespace chiphost::isolate {

// ChildVerb::open_library. No answer but the code.
struct OpenLibrary {
    uint64_t stack_bytes;     // of the thread that runs its code, at least; 0: as usual
    uint64_t default_lookup;  // 1: lookups with RTLD_DEFAULT find its symbols
    // char path[];  NUL-terminated
};

// ChildVerb::find_symbol: the symbol's name, NUL-terminated. The answer is its address, a uint64_t.

// One argument of ChildVerb::call_function.
struct CallParameter {
    // A number or a pointer; for a buffer or a text its offset if it is in the arena, else 0 for a null pointer.
    uint64_t word;
    uint32_t type;        // Type
    uint16_t in_arena;    // 1: `word` is an offset
    uint16_t of_callers;  // 1: the caller has memory at this address: it may be one of the caller's by mistake
};

// ChildVerb::call_function.
struct CallFunction {
    uint64_t function;    // address in the child
    uint32_t result;      // Type
    uint32_t parameters;  // how many; a CallParameter each follows
    uint64_t end;         // of all of it; the child may use what is behind
    // Written by the child.
    uint32_t begun;       // 1: the function was called, whatever came of it
    uint32_t is_null;     // of a text
    uint64_t word;        // the result
    uint64_t text;        // offset of a text
    uint64_t text_bytes;  // without the NUL
};

// ChildVerb::allocate_memory: `bytes`; the child writes the address. ChildVerb::free_memory: `address`.
// ChildVerb::write_memory and read_memory: `bytes` from or to `address`; the data are in the arena, from memory_data
// on.
struct UseMemory {
    uint64_t address;
    uint64_t bytes;
};
constexpr uint64_t memory_data = 64;

// ChildVerb::close_library. The answer is that the process exits with 0, as a program does at its end.
struct CloseLibrary {
    uint32_t begun;  // 1, by the child
};

}  // namespace chiphost::isolate
