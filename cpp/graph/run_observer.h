// SPDX-License-Identifier: Apache-2.0
//
// Somebody who looks on while an orchestration builds a graph: the checker of the simulated chip. ch_launch::observer
// is the address of the table; 0: nobody looks on.
//
// Threads: the one that runs the orchestrator; `completed` is called by those that schedule.
// Ownership: arguments are borrowed for the call.
#pragma once

#include <stdint.h>

#include "chiphost/abi/device_orchestration.h"

namespace chiphost::graph {

// A task that has been submitted and has not been published.
struct Submission {
    int64_t id;
    const ch_task_spec* spec;
    const ch_device_tensor* outputs;  // its new tensors, in the order of the arguments
    uint64_t code;                    // return address of the call
    uint32_t scope;                   // number of its scope in the run
    bool automatic;                   // edges are inferred in it
};

struct RunObserver {
    void* self;
    void (*submitted)(void* self, const Submission& submission);
    // The runtime makes `consumer` wait for `producer`, or would if that had not completed.
    void (*waits)(void* self, int64_t producer, int64_t consumer);
    // The orchestration has asked for an edge (add_dependency), which may be satisfied already.
    void (*depends)(void* self, int64_t producer, int64_t consumer);
    void (*completed)(void* self, int64_t task);
    void (*scope_ended)(void* self, uint32_t scope);
    // The orchestration reads or writes an element now: `element` is a view of it alone.
    void (*element)(void* self, const ch_device_tensor& element, bool write, uint64_t code);
};

}  // namespace chiphost::graph
