// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "random.h"
#include "sim_port.h"

namespace chiphost::platform {

uint32_t read_register(AicpuPort* port, uint32_t physical_core, Register which) {
    return port->registers.at(physical_core, which).load(std::memory_order_acquire);
}

void write_register(AicpuPort* port, uint32_t physical_core, Register which, uint32_t value) {
    port->registers.at(physical_core, which).store(value, std::memory_order_release);
    if (which == Register::data_main_base) {
        port->hooks->main_base_written(port->hooks->engine, port->core_of_physical[physical_core], port->thread, value);
    }
}

void signal_threads(AicpuPort* port) {
    port->hooks->threads_signalled(port->hooks->engine, port->thread);
}

// The simulated chip's memory is this process's: coherent.
void invalidate_cache(const void*, size_t) {}
void flush_cache(const void*, size_t) {}

void forget_content(void* address, size_t bytes) {
    memset(address, undefined_byte, bytes);
}

bool resume_strand(AicpuPort* port, void (*body)(void* argument), void* argument) {
    __atomic_store_n(&port->progress->orchestrating, 1, __ATOMIC_RELEASE);
    if (port->check) port->check->enter_orchestration(port->check->checker);
    const bool returned = port->fiber->resume(*port->stack, body, argument);
    if (port->check) port->check->leave_orchestration(port->check->checker);
    __atomic_store_n(&port->progress->orchestrating, 0, __ATOMIC_RELEASE);
    return returned;
}

bool pause_strand(AicpuPort* port) {
    port->fiber->pause();
    return true;
}

bool should_breathe(AicpuPort* port, bool due) {
    const uint64_t options[] = {due ? graph::pause : graph::go_on, due ? graph::go_on : graph::pause};
    if (const graph::Choices* choices = port->choices) {
        const uint32_t chosen = choices->choose(choices->oracle, graph::Choice::orchestration, options, 2);
        return options[chosen] == graph::pause;
    }
    return due || (port->random != 0 && next_random(&port->random) % 4 == 0);
}

void log_line(AicpuPort*, const char* text) {
    fprintf(stderr, "[orchestration] %s\n", text);
}

}  // namespace chiphost::platform
