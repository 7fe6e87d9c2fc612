// SPDX-License-Identifier: Apache-2.0
//
// The AICore program's heart: takes dispatches and calls kernels.
#pragma once

#include "chiphost/abi/device_program.h"
#include "chiphost/platform/aicore.h"
#include "graph/core_protocol.h"

namespace chiphost::executor {

// One core of one launch.
class CoreExecutor {
public:
    __aicore__ CoreExecutor(const ch_launch& launch, uint32_t core, uint32_t core_type, platform::AicorePort* port);

    __aicore__ ch_step step();

private:
    enum class Phase : uint8_t { await_aicpu, await_registers, run, acknowledged, done };

    __aicore__ ch_step await_registers();
    __aicore__ ch_step next_dispatch();
    __aicore__ ch_step execute();

    core_protocol::Handshake& handshake_;
    platform::AicorePort* const port_;
    const uint32_t core_;
    const uint32_t core_type_;
    Phase phase_ = Phase::await_aicpu;
    uint32_t number_ = core_protocol::main_base_idle;  // DATA_MAIN_BASE as last taken
    core_protocol::Payload* payloads_ = nullptr;
};

}  // namespace chiphost::executor
