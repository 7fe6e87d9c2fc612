// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chiphost/abi/callable.h"
#include "text_line.h"

namespace chiphost::worker {

// An address in a program of a callable.
struct ProgramCode {
    const void* program;  // where it is loaded
    int32_t func_id;      // of the kernel; -1: it is the orchestration
    uint64_t address;     // as the program's file has it
};

// False: the address is in no program of the callable, or glibc is older than 2.35. For signal handlers.
bool find_program_code(const ch_callable& callable, const void* address, ProgramCode* out_code);

// Looks for addr2line in PATH, for add_source_line. Not for signal handlers.
void find_addr2line();

// Adds " at kernel.cpp:12", or " at tile.h:90, called in kernel.cpp:31" for an inlined function, if the address is in a
// program of the callable. It asks addr2line, in a process of its own, and gives that a few seconds. Adds nothing if
// the program says nothing of its lines, there is no such tool, or glibc is older than 2.35. For signal handlers.
void add_source_line(const ch_callable& callable, const void* address, TextLine* line);

}  // namespace chiphost::worker
