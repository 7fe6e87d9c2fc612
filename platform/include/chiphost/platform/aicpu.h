// SPDX-License-Identifier: Apache-2.0
//
// A platform gives this to the AICPU program. A port implements these functions and links them into it.
//
// None of them fails but load_device_orch_so, and none throws. Those without a port may be called by any thread of the
// AICPU, for memory of any launch. Requirements are numbered as in device.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "chip.h"
#include "chiphost/abi/error.h"

namespace chiphost::platform {

// One AICPU thread's access to the chip, made by the platform's launch and valid until that returns. Defined by the
// platform. Used by that thread only. PLAT-26.
struct AicpuPort;

// Reads a core's register. What the core wrote to memory before it wrote the register is visible afterwards. Values may
// be seen late, but in the order in which they were written. PLAT-19, PLAT-20.
uint32_t read_register(AicpuPort* port, uint32_t physical_core, Register which);

// Writes a core's register; of several writes the core is left with the last. What this thread wrote to memory before
// is visible to a core that reads the value. PLAT-18, PLAT-20.
void write_register(AicpuPort* port, uint32_t physical_core, Register which, uint32_t value);

// Tells the other AICPU threads that there may be something to do for them. Nothing to do where they never sleep.
// PLAT-30.
void signal_threads(AicpuPort* port);

// Makes writes of cores to [address, address + bytes) visible to this thread. Nothing to do on coherent platforms.
// PLAT-20.
void invalidate_cache(const void* address, size_t bytes);

// Makes this thread's writes to [address, address + bytes) visible to cores and to copies. Nothing to do on coherent
// platforms. PLAT-20, PLAT-33.
void flush_cache(const void* address, size_t bytes);

// For device memory that a new tensor is made in: what [address, address + bytes) holds counts for nothing. A simulated
// chip overwrites it, so that a result nobody wrote does not look right. Nothing to do on a chip. PLAT-24.
void forget_content(void* address, size_t bytes);

// A strand: a function that one AICPU thread runs besides its other work, and that may pause in the middle. At most one
// for each thread. PLAT-31.
//
// Runs `body(argument)`, or lets it go on if it has paused; both are borrowed until it has returned. True: it has
// returned. The AICPU program's end() resumes a strand of a launch that is cut off, so that it can return. One that has
// not returned after that is abandoned: it is never resumed, and what is on its stack is lost. On a platform whose
// threads can wait by themselves resume_strand returns only when the strand has. PLAT-47.
bool resume_strand(AicpuPort* port, void (*body)(void* argument), void* argument);

// From inside the strand: gives the thread back to whoever resumes it, and returns when it is resumed. False: this
// platform's strands don't pause, and the caller has to look after the thread's other work itself. Then this is where
// the platform finds that the launch is to end, and calls the AICPU program's stop(). PLAT-45.
bool pause_strand(AicpuPort* port);

// True if a strand that could go on should pause all the same, so that others get on. Any answer is right; a chip's is
// no. From inside the strand.
bool should_breathe(AicpuPort* port);

// Writes a line of text to the log, or drops it. The text is borrowed for the call.
void log_line(AicpuPort* port, const char* text);

// The orchestration's file: copies it to a file of its own, loads it, and removes the file (orch_so_loader.cpp). The
// bytes and `name`, which is for messages, are borrowed for the call; *out_library lives until close_device_orch_so.
// CH_OK, or CH_LOAD_REFUSED and the like with *out_error filled. May be called from several threads and processes at
// once. PLAT-36 to PLAT-40.
[[nodiscard]] int32_t load_device_orch_so(AicpuPort* port, const void* data, size_t bytes, const char* name,
                                          void** out_library, ch_error* out_error);
// nullptr: there is no such symbol. The address is valid as long as the library. PLAT-36.
void* find_in_device_orch_so(void* library, const char* symbol);
// Unloads it. No pointer into the library may be left. `port` is nullptr when the AICPU program is being destroyed.
// PLAT-38.
void close_device_orch_so(AicpuPort* port, void* library);

}  // namespace chiphost::platform
