// SPDX-License-Identifier: Apache-2.0
#include "chiphost/platform/aicpu.h"

#include <sched.h>
#include <stdio.h>

#include "crew.h"
#include "shared/orch_so_file.h"

namespace chiphost::platform {

uint32_t read_register(AicpuPort* port, uint32_t physical_core, Register which) {
    return read(port->registers, physical_core, which);
}

void write_register(AicpuPort* port, uint32_t physical_core, Register which, uint32_t value) {
    const auto& self = *static_cast<ThreadPort*>(port);
    self.crew->own(physical_core, self.thread);
    write(port->registers, physical_core, which, value);
    if (which == Register::data_main_base) self.crew->wake(Crew::cores);
}

void signal_threads(AicpuPort* port) {
    const auto& self = *static_cast<ThreadPort*>(port);
    self.crew->wake_all_but(self.thread);
}

void invalidate_cache(const void*, size_t) {}
void flush_cache(const void*, size_t) {}
void forget_content(void*, size_t) {}

bool resume_strand(AicpuPort*, void (*body)(void* argument), void* argument) {
    body(argument);
    return true;
}

// The launch's own thread looks for its end.
bool pause_strand(AicpuPort*) {
    sched_yield();
    return false;
}

bool should_breathe(AicpuPort*, bool due) {
    return due;
}

void log_line(AicpuPort*, const char* text) {
    fprintf(stderr, "%s\n", text);
}

int32_t load_device_orch_so(AicpuPort*, const void* data, size_t bytes, const char* name, void** out_library,
                            ch_error* out_error) {
    return load_from_memory(nullptr, data, bytes, name, out_library, out_error);
}

void close_device_orch_so(AicpuPort*, void* library) {
    close_library(nullptr, library);
}

}  // namespace chiphost::platform
