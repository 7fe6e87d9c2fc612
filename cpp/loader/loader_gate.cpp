// SPDX-License-Identifier: Apache-2.0
#include "loader_gate.h"

#include <pthread.h>

namespace chiphost::loader {

namespace {

ch_thread_origins origins;
ch_loader_gate gate{0, 0, 0, nullptr, &origins};

// Registered before main: a fork that began before would not wait for the first thread that loads. If it cannot be
// registered there is no memory, and forks are what they are without a gate.
[[maybe_unused]] const int registered =
    pthread_atfork([] { ch_loader_gate_close(&gate, fork_wait_ns); }, [] { ch_loader_gate_open(&gate); },
                   [] {
                       ch_loader_gate_reset(&gate);
                       ch_thread_origins_reset(&origins);
                   });

#ifdef __GLIBC__
__attribute__((constructor)) void keep_arguments(int count, char** arguments, char**) {
    if (!arguments) return;
    gate.argument_count = static_cast<uint64_t>(count);
    gate.arguments = arguments;
}
#endif

}  // namespace

ch_loader_gate* loader_gate_of_this_process() {
    return &gate;
}

}  // namespace chiphost::loader
