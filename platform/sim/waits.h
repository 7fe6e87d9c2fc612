// SPDX-License-Identifier: Apache-2.0
//
// Kernels that wait for other cores, in words: for a launch that cannot end.
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "graph/kernel_names.h"
#include "graph/task.h"
#include "sim_port.h"

namespace chiphost::platform {

// Which waiting cores wait for which others.
//
// A kernel may say for which cores of its cluster it pauses. If it does not, it waits for all other cores of its task;
// and if none of these waits, for those whose kernels wait too and use the same memory: a flag, say.
//
// Ownership: everything is borrowed.
class Waits {
public:
    // `stalled`: no core could go on.
    Waits(const std::vector<AicorePort>& ports, const graph::Image& image, bool stalled);

    // A line for each kernel that waits: where in its code, for which cores, and what these do. To be called when all
    // kernels have been let down: they say then where they wait.
    std::vector<std::string> lines(const graph::KernelNames& names) const;

    // Disjoint cycles of cores that wait for each other: "core 0 -> core 24 -> core 0".
    std::vector<std::string> cycles() const;

    // What a core waits for, and what that waits for: ", which waits for core 24, which waits for core 0: a cycle".
    // Empty if it does not wait for another core.
    std::string chain_from(uint32_t core) const;

private:
    struct Wait {
        std::vector<uint32_t> partners;  // cores of its task
        std::vector<uint32_t> sharers;   // other cores that wait, and use memory that it uses
    };

    uint32_t next(uint32_t core) const;
    bool waits_with(uint32_t core, uint32_t partner) const;
    std::string line(uint32_t core, const graph::KernelNames& names) const;
    std::vector<uint32_t> path_from(uint32_t core) const;

    static constexpr uint32_t none = UINT32_MAX;

    const std::vector<AicorePort>& ports_;
    const bool stalled_;
    std::vector<Wait> waits_;  // of each core
};

}  // namespace chiphost::platform
