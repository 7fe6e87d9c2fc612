// SPDX-License-Identifier: Apache-2.0
//
// What a platform gives the AICPU program. A port implements these functions and links them into it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "chip.h"

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

}  // namespace chiphost::platform
