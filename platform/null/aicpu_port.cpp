// SPDX-License-Identifier: Apache-2.0
//
// The AICPU's half.
#include "chiphost/platform/aicpu.h"
#include "unimplemented.h"

namespace chiphost::platform {

struct AicpuPort {};

uint32_t read_register(AicpuPort*, uint32_t, Register) {
    unimplemented("read_register");
}

void write_register(AicpuPort*, uint32_t, Register, uint32_t) {
    unimplemented("write_register");
}

void signal_threads(AicpuPort*) {
    unimplemented("signal_threads");
}

void invalidate_cache(const void*, size_t) {
    unimplemented("invalidate_cache");
}

void flush_cache(const void*, size_t) {
    unimplemented("flush_cache");
}

void forget_content(void*, size_t) {
    unimplemented("forget_content");
}

bool resume_strand(AicpuPort*, void (*)(void*), void*) {
    unimplemented("resume_strand");
}

bool pause_strand(AicpuPort*) {
    unimplemented("pause_strand");
}

bool should_breathe(AicpuPort*, bool) {
    unimplemented("should_breathe");
}

void log_line(AicpuPort*, const char*) {
    unimplemented("log_line");
}

}  // namespace chiphost::platform
