// SPDX-License-Identifier: Apache-2.0
//
// A platform gives this to the AICPU program. A port implements these functions and links them into it. Requirements
// are numbered as in device.h.
//
// port: of this thread.
// Errors: none; no function throws.
// Threads: the one that the port belongs to; without a port any of the AICPU, for memory of any launch.
// Ownership: arguments are borrowed for the call.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "chip.h"
#include "chiphost/abi/error.h"

namespace chiphost::platform {

// One AICPU thread's access to the chip. The platform defines it, and its launch makes one for each thread, which is
// valid until the launch returns. PLAT-26.
struct AicpuPort;

// Reads a core's register. What the core wrote to memory before it wrote the register is visible afterwards. Values may
// be seen late, but in the order in which they were written. PLAT-19, PLAT-20.
//
// physical_core: number of the core as the chip counts.
// which: the register.
uint32_t read_register(AicpuPort* port, uint32_t physical_core, Register which);

// Writes a core's register; of several writes the core is left with the last. What this thread wrote to memory before
// is visible to a core that reads the value. PLAT-18, PLAT-20.
//
// physical_core: number of the core as the chip counts.
// which: the register.
// value: what it becomes.
void write_register(AicpuPort* port, uint32_t physical_core, Register which, uint32_t value);

// Tells the other AICPU threads that there may be something to do for them. A platform on which they never sleep does
// nothing. PLAT-30.
//
// port: of the thread that tells.
void signal_threads(AicpuPort* port);

// Makes writes of cores to [address, address + bytes) visible to this thread. A coherent platform does nothing.
// PLAT-20.
//
// address: in memory of any launch.
// bytes: how many.
void invalidate_cache(const void* address, size_t bytes);

// Makes this thread's writes to [address, address + bytes) visible to cores and to copies. A coherent platform does
// nothing. PLAT-20, PLAT-33.
//
// address: in memory of any launch.
// bytes: how many.
void flush_cache(const void* address, size_t bytes);

// Says that what [address, address + bytes) holds counts for nothing: a new tensor is made there. A simulated chip
// overwrites it, so that a result nobody wrote does not look right. A chip does nothing. PLAT-24.
//
// address: in device memory.
// bytes: how many.
void forget_content(void* address, size_t bytes);

// Runs a strand, or lets it go on if it has paused. A strand is a function that one AICPU thread runs besides its other
// work, and that may pause in the middle; each thread has at most one. PLAT-31, PLAT-47.
//
// The AICPU program's end() resumes a strand of a launch that is cut off, so that it can return. One that has not
// returned after that is abandoned: it is never resumed, and what is on its stack is lost.
//
// body: the function, called with `argument`.
// argument: borrowed until the strand has returned.
// Returns: true if it has returned, false if it has paused. On a platform whose threads can wait by themselves this
// returns only when the strand has.
bool resume_strand(AicpuPort* port, void (*body)(void* argument), void* argument);

// Gives the thread back to whoever resumes the strand, and returns when it is resumed. It is called from inside the
// strand. PLAT-45.
//
// port: of the strand's thread.
// Returns: false if this platform's strands don't pause, and the caller has to look after the thread's other work
// itself. Then this is where the platform finds that the launch is to end, and calls the AICPU program's stop().
bool pause_strand(AicpuPort* port);

// Tells whether a strand that could go on should pause all the same, so that others get on. Any answer is right; a
// chip's is `due`. It is called from inside the strand.
//
// port: of the strand's thread.
// due: it has gone on for long.
bool should_breathe(AicpuPort* port, bool due);

// Writes a line of text to the log, or drops it.
//
// text: NUL-terminated, borrowed for the call.
void log_line(AicpuPort* port, const char* text);

// Loads an orchestration: copies it to a file of its own, loads that, and removes it (orch_so_loader.cpp). PLAT-36 to
// PLAT-40.
//
// data: the first of `bytes` bytes, borrowed for the call.
// name: for messages, borrowed for the call.
// out_library: gets the library, which lives until `close_device_orch_so`.
// Returns: CH_OK or a code.
// Errors: CH_LOAD_REFUSED and the like, with *out_error filled.
// Threads: several may call it at once, also of several processes.
[[nodiscard]] int32_t load_device_orch_so(AicpuPort* port, const void* data, size_t bytes, const char* name,
                                          void** out_library, ch_error* out_error);

// Finds a function of a loaded orchestration. PLAT-36.
//
// library: what `load_device_orch_so` gave.
// symbol: its name.
// Returns: its address, valid as long as the library; nullptr if there is no such symbol.
void* find_in_device_orch_so(void* library, const char* symbol);

// Unloads an orchestration. PLAT-38.
//
// port: nullptr when the AICPU program is being destroyed.
// library: what `load_device_orch_so` gave; no pointer into it may be left.
void close_device_orch_so(AicpuPort* port, void* library);

}  // namespace chiphost::platform
