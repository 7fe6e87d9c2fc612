// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chiphost/abi/loader_gate.h"

namespace chiphost::loader {

// The gate of this process, which fork() closes for its duration. A fork waits for the gate at most this long: a
// library that forks while it is being loaded would wait for itself.
constexpr uint64_t fork_wait_ns = 1'000'000'000;
ch_loader_gate* loader_gate_of_this_process();

// Stays inside a gate as long as it lives.
class LoaderPass {
public:
    explicit LoaderPass(ch_loader_gate* gate) : gate_(gate) { ch_loader_gate_enter(gate_); }
    ~LoaderPass() { ch_loader_gate_leave(gate_); }
    LoaderPass(const LoaderPass&) = delete;
    LoaderPass& operator=(const LoaderPass&) = delete;

private:
    ch_loader_gate* const gate_;
};

}  // namespace chiphost::loader
