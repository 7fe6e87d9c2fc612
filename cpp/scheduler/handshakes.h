// SPDX-License-Identifier: Apache-2.0
//
// The AICPU's half of how cores come into a launch and leave it (graph/core_protocol.h).
#pragma once

#include <stdint.h>

#include "chiphost/platform/aicpu.h"
#include "core_set.h"
#include "graph/core_protocol.h"

namespace chiphost::scheduler {

// The handshakes of one launch, in device memory, which is borrowed. Every AICPU thread shakes hands with its own
// cores.
class Handshakes {
public:
    Handshakes(core_protocol::Handshake* handshakes, core_protocol::Payload* payloads)
        : handshakes_(handshakes), payloads_(payloads) {}

    // First part: tells the cores where their payloads are.
    void announce(const CoreSet& cores);

    // Second part: true if all of them have reported their physical cores. Then of() is the report of each, and each is
    // let in, or sent away if its report cannot be true: its registers cannot be reached then, and it waits in memory.
    bool all_reported(const CoreSet& cores) const;
    const core_protocol::Handshake& of(uint32_t core) const { return handshakes_[core]; }
    void let_in(uint32_t core, uint32_t physical, platform::AicpuPort* port);
    void send_away(uint32_t core);

    // Third part: true if all of them wait for dispatches.
    bool all_wait(const CoreSet& cores) const;

    // The end: tells a core to exit. Once it has, its registers are closed.
    void tell_to_exit(uint32_t core, uint32_t physical, platform::AicpuPort* port);
    static bool has_exited(uint32_t physical, platform::AicpuPort* port);
    static void close_registers(uint32_t physical, platform::AicpuPort* port);

private:
    core_protocol::Handshake* const handshakes_;
    core_protocol::Payload* const payloads_;  // two for each core
};

}  // namespace chiphost::scheduler
