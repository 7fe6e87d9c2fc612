// SPDX-License-Identifier: Apache-2.0
//
// How messages name tasks, kernels and places in programs: everywhere the same, on the device and on the host.
#pragma once

#include <stdint.h>

#include "chiphost/abi/device_orchestration.h"
#include "task.h"

namespace chiphost::graph {

// The name of a kernel as it lies in device memory, cut if it is too long. Empty: there is no such kernel.
struct KernelName {
    char text[64];
};
static_assert(sizeof(KernelName) == 64, "KernelName is a device format");

// A piece of a message. It lives on the stack: programs of a device have no other memory for it.
struct NameText {
    char text[320];
};

// The names of a callable's kernels. Messages count submissions from 0, in the order of the orchestration's calls.
//
// Threads: any.
// Ownership: the table is borrowed.
class KernelNames {
public:
    KernelNames() = default;
    // `names` has one entry for each func_id below `count`. It may be null: nobody knows the names.
    KernelNames(const KernelName* names, uint32_t count) : names_(names), count_(names ? count : 0) {}

    // Returns "kernel `add`", or "kernel of func_id 3" if it has no name.
    NameText kernel(int64_t func_id) const;
    // Returns "kernel `add`" or "kernels `qk`, `softmax`" for the func_ids of AIC, AIV0 and AIV1; -1: no kernel there.
    NameText kernels(const int32_t (&func_ids)[3]) const;
    // Returns "submit #412 (kernel `add`)" for a task.
    NameText task(const Task& task) const;
    // Returns the same for a task that is being submitted. A task of no kernel is "submit #412".
    NameText submission(uint64_t number, const int32_t (&func_ids)[3]) const;

private:
    const KernelName* names_ = nullptr;
    uint32_t count_ = 0;
};

// Returns "task 3 of ring 1" for an id that names no task.
NameText task_id_text(int64_t id);

// Returns " at [orchestration+0x1a2b]" for a return address of the orchestration, "" for 0 or if no file has it. What
// stands in the brackets is an address as the orchestration's file has it; Python makes a line of the source of it.
NameText code_text(uint64_t return_address);

}  // namespace chiphost::graph
