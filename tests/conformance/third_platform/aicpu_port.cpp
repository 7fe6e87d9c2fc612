// SPDX-License-Identifier: Apache-2.0
#include "chiphost/platform/aicpu.h"

#include <stdio.h>

#include "machine.h"
#include "shared/orch_so_file.h"

namespace chiphost::platform {

uint32_t read_register(AicpuPort* port, uint32_t physical_core, Register which) {
    return port->machine->at(physical_core, which);
}

void write_register(AicpuPort* port, uint32_t physical_core, Register which, uint32_t value) {
    port->machine->at(physical_core, which) = value;
    port->machine->something_happened = true;
}

void signal_threads(AicpuPort* port) {
    port->machine->something_happened = true;
}

void invalidate_cache(const void*, size_t) {}
void flush_cache(const void*, size_t) {}
void forget_content(void*, size_t) {}

bool resume_strand(AicpuPort*, void (*body)(void* argument), void* argument) {
    body(argument);
    return true;
}

bool pause_strand(AicpuPort*) {
    return false;
}

bool should_breathe(AicpuPort*) {
    return false;
}

void log_line(AicpuPort*, const char* text) {
    fprintf(stderr, "%s\n", text);
}

// find_in_device_orch_so is shared/orch_so_file.cpp's.
int32_t load_device_orch_so(AicpuPort*, const void* data, size_t bytes, const char* name, void** out_library,
                            ch_error* out_error) {
    return load_from_memory(nullptr, data, bytes, name, out_library, out_error);
}

void close_device_orch_so(AicpuPort*, void* library) {
    close_library(nullptr, library);
}

}  // namespace chiphost::platform
