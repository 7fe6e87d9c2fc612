// SPDX-License-Identifier: Apache-2.0
//
// A platform gives this to the AICore program. A port implements these functions and links them into it. Requirements
// are numbered as in device.h.
//
// port: of this core.
// Errors: none; no function throws.
// Threads: the core that the port belongs to.
// Ownership: arguments are borrowed for the call.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "chip.h"
#include "graph/core_protocol.h"

namespace chiphost::platform {

// One core's access to the chip. The platform defines it, and its launch makes one for each core, which is valid until
// the launch returns.
struct AicorePort;

// Gives the number of this core as the chip counts: below Chip::physical_cores, and no other core's. PLAT-17.
__aicore__ uint32_t physical_core(AicorePort* port);

// Reads this core's DATA_MAIN_BASE. What the AICPU wrote to memory before it wrote the value is visible afterwards.
// PLAT-18, PLAT-20.
__aicore__ uint32_t read_main_base(AicorePort* port);

// Writes this core's COND. What this core wrote to memory before is visible to an AICPU thread that reads the value.
// PLAT-19, PLAT-20.
//
// value: what it becomes.
__aicore__ void write_cond(AicorePort* port, uint32_t value);

// Calls payload->kernel with the payload's arguments, or lets it go on if it has paused. A platform on which kernels
// can throw catches everything here and records it in the payload. PLAT-11, PLAT-21 to PLAT-23.
//
// payload: what the AICPU has dispatched (graph/core_protocol.h).
// Returns: true if the kernel has returned; false if it waits for another core of its cluster. Then whoever hands
// something over makes this core step again.
__aicore__ bool call_kernel(AicorePort* port, core_protocol::Payload* payload);

// Tells whether to come back for the kernel after the dispatch was acknowledged, so that the AICPU gets to see it. A
// real core always says no; a simulated one may say yes to show the AICPU the orders that a real one can produce. Any
// answer is right.
__aicore__ bool pause_after_ack(AicorePort* port);

}  // namespace chiphost::platform
