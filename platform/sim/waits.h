// SPDX-License-Identifier: Apache-2.0
//
// Kernels that wait for other cores of their cluster, in words: for a launch that cannot end.
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "graph/kernel_names.h"
#include "sim_port.h"

namespace chiphost::platform {

// A line for each kernel that was waiting when the launch was cut off: where in its code, for which cores, and what
// these do; and a line for each cycle of two cores. To be called when all kernels have been let down. `stalled`: no
// core could go on.
std::vector<std::string> describe_waits(const std::vector<AicorePort>& ports, const graph::KernelNames& names,
                                        bool stalled);

}  // namespace chiphost::platform
