// SPDX-License-Identifier: Apache-2.0
//
// The AICPU of a real chip. The cores' registers are mapped into its memory.
#include <sched.h>
#include <stdio.h>

#include "onboard_port.h"

namespace chiphost::platform {

namespace {

constexpr uint32_t yield_every = 64;

uint32_t* register_at(const AicpuPort* port, uint32_t physical_core, Register which) {
    return reinterpret_cast<uint32_t*>(port->register_bases[physical_core] + chip.offset(which));
}

#ifdef __aarch64__
constexpr uintptr_t cache_line = 64;

// Calls one(address) for every cache line of a range, and waits until all of it is done.
template <typename One>
void for_each_line(const void* address, size_t bytes, One&& one) {
    if (bytes == 0) return;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(address);
    for (uintptr_t line = begin & ~(cache_line - 1); line < begin + bytes; line += cache_line) one(line);
    __asm__ volatile("dsb sy" ::: "memory");
}
#endif

}  // namespace

uint32_t read_register(AicpuPort* port, uint32_t physical_core, Register which) {
    return __atomic_load_n(register_at(port, physical_core, which), __ATOMIC_ACQUIRE);
}

void write_register(AicpuPort* port, uint32_t physical_core, Register which, uint32_t value) {
#ifdef __aarch64__
    __asm__ volatile("dsb sy" ::: "memory");  // what was written to memory comes before what is written to a device
#endif
    __atomic_store_n(register_at(port, physical_core, which), value, __ATOMIC_RELEASE);
}

// Threads of a chip never sleep.
void signal_threads(AicpuPort*) {}

// Lines are written back before they are dropped: part of a line may be this thread's own.
void invalidate_cache([[maybe_unused]] const void* address, [[maybe_unused]] size_t bytes) {
#ifdef __aarch64__
    for_each_line(address, bytes, [](uintptr_t line) { __asm__ volatile("dc civac, %0" ::"r"(line) : "memory"); });
#endif
}

void flush_cache([[maybe_unused]] const void* address, [[maybe_unused]] size_t bytes) {
#ifdef __aarch64__
    for_each_line(address, bytes, [](uintptr_t line) { __asm__ volatile("dc cvac, %0" ::"r"(line) : "memory"); });
#endif
}

void forget_content(void*, size_t) {}

void relax(AicpuPort* port) {
#if defined(__aarch64__)
    __asm__ volatile("yield");
#elif defined(__x86_64__)
    __builtin_ia32_pause();
#endif
    if (++port->idle % yield_every != 0) return;
    sched_yield();
    if (port->watch) look_after(port->watch, port);
}

// The orchestration runs on the thread itself and waits there.
bool resume_strand(AicpuPort*, void (*body)(void* argument), void* argument) {
    body(argument);
    return true;
}

bool pause_strand(AicpuPort* port) {
    relax(port);
    return false;
}

bool should_breathe(AicpuPort*, bool due) {
    return due;
}

void log_line(AicpuPort*, const char* text) {
    fprintf(stderr, "[orchestration] %s\n", text);
}

}  // namespace chiphost::platform
