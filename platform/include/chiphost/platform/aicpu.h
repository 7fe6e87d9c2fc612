// SPDX-License-Identifier: Apache-2.0
//
// What a platform gives the AICPU program. A port implements these functions and links them into it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "chip.h"
#include "chiphost/abi/error.h"

namespace chiphost::platform {

// One AICPU thread's access to the chip, made by the platform's launch. Used by that thread only.
struct AicpuPort;

// Reads a core's register. What the core wrote to memory before it wrote the register is visible afterwards.
uint32_t read_register(AicpuPort* port, uint32_t physical_core, Register which);

// Writes a core's register. What this thread wrote to memory before is visible to a core that reads the value.
void write_register(AicpuPort* port, uint32_t physical_core, Register which, uint32_t value);

// Tells the other AICPU threads that there may be something to do for them. Nothing to do where they never sleep.
void signal_threads(AicpuPort* port);

// Makes writes of cores to [address, address + bytes) visible to this thread. Nothing to do on coherent platforms.
void invalidate_cache(const void* address, size_t bytes);

// Makes this thread's writes to [address, address + bytes) visible to cores. Nothing to do on coherent platforms.
void flush_cache(const void* address, size_t bytes);

// For memory that a new tensor is made in: whatever was there counts for nothing. A simulated chip overwrites it, so
// that a result nobody wrote does not look right. Nothing to do on a chip.
void forget_content(void* address, size_t bytes);

// A strand: a function that one AICPU thread runs besides its other work, and that may pause in the middle. At most one
// for each thread.
//
// Runs `body(argument)`, or lets it go on if it has paused. True: it has returned. One that has paused when the launch
// ends is never resumed; what is on its stack is lost. On a platform whose threads can wait
// by themselves it returns only then.
bool resume_strand(AicpuPort* port, void (*body)(void* argument), void* argument);

// From inside the strand: gives the thread back to whoever resumes it, and returns when it is resumed. False: this
// platform's strands don't pause; the caller has to look after the thread's other work itself.
bool pause_strand(AicpuPort* port);

// Whether a strand that could go on should pause all the same, so that others get on. Never on a chip.
bool should_breathe(AicpuPort* port);

// Writes a line of text to the log.
void log_line(AicpuPort* port, const char* text);

// The orchestration's file: copies it to a file of its own, loads it, and removes the file (orch_so_loader.cpp). CH_OK,
// or CH_LOAD_REFUSED and the like. `name` is for messages. May be called from several threads and processes at once.
[[nodiscard]] int32_t load_device_orch_so(AicpuPort* port, const void* data, size_t bytes, const char* name,
                                          void** out_library, ch_error* out_error);
// nullptr: there is no such symbol.
void* find_in_device_orch_so(void* library, const char* symbol);
// No pointer into the library may be left.
void close_device_orch_so(void* library);

}  // namespace chiphost::platform
