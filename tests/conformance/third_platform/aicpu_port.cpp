// SPDX-License-Identifier: Apache-2.0
#include "chiphost/platform/aicpu.h"

#include <stdio.h>

#include "register_file.h"

namespace chiphost::platform {

uint32_t read_register(AicpuPort* port, uint32_t physical_core, Register which) {
    return port->registers->at(physical_core, which);
}

void write_register(AicpuPort* port, uint32_t physical_core, Register which, uint32_t value) {
    port->registers->at(physical_core, which) = value;
    port->registers->something_happened = true;
}

void signal_threads(AicpuPort* port) {
    port->registers->something_happened = true;
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

bool should_breathe(AicpuPort*, bool due) {
    return due;
}

void log_line(AicpuPort*, const char* text) {
    fprintf(stderr, "%s\n", text);
}

}  // namespace chiphost::platform
