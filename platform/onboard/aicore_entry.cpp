// SPDX-License-Identifier: Apache-2.0
//
// The AICore program on a real chip: a loop around the executor's step. Compiled by the vendor's compiler ccec only,
// twice; the names of the two entries are what the vendor's runtime looks for in a program for both kinds of cores.
#include "core_cache.h"
#include "executor/core_executor.h"
#include "launch_record.h"

#ifdef __DAV_VEC__
#define CHIPHOST_CORE_ENTRY chiphost_core_0_mix_aiv
#else
#define CHIPHOST_CORE_ENTRY chiphost_core_0_mix_aic
#endif

extern "C" __global__ __aicore__ void CHIPHOST_CORE_ENTRY(__gm__ chiphost::platform::LaunchRecord* record) {
    using namespace chiphost;
    platform::refresh_lines(record, sizeof *record);
    auto* launch = reinterpret_cast<__gm__ ch_launch*>(record->launch);
    platform::refresh_lines(launch, sizeof *launch);
#ifdef __DAV_VEC__
    const uint32_t core = get_block_num() + get_block_idx() * get_subblockdim() + get_subblockid();
    const uint32_t type = CH_AIV;
#else
    const uint32_t core = get_block_idx();
    const uint32_t type = CH_AIC;
#endif
#ifdef CHIPHOST_ARCH_A2A3
    set_ffts_base_addr(record->cross_core);
#endif
    auto* handshake = reinterpret_cast<__gm__ core_protocol::Handshake*>(launch->handshakes) + core;
    executor::CoreExecutor executor(*launch, core, type, nullptr);
    bool started = false;
    for (ch_step step = CH_STEP_WORKED; step != CH_STEP_DONE;) {
        // The handshake goes through memory; afterwards the registers say everything.
        if (!started) platform::refresh_lines(handshake, sizeof *handshake);
        step = executor.step();
        if (!started) platform::refresh_lines(handshake, sizeof *handshake);
        started = started || step == CH_STEP_IDLE;
    }
}
