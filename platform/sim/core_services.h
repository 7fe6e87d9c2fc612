// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim_port.h"

namespace chiphost::platform {

// The services of a simulated core for its kernel. They are called with the CoreServices of the core.
extern const KernelServices core_services;

// A kernel that waits when its launch is over is told so by an exception, and is not resumed any more if it has waited
// this often since.
constexpr uint32_t let_down_max = 1 << 12;

// KernelServices::pause from then on.
void let_down(const KernelServices* services);

}  // namespace chiphost::platform
