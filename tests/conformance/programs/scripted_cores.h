// SPDX-License-Identifier: Apache-2.0
//
// The cores of a launch: how threads share them, the handshake with them, and their registers.
#pragma once

#include <stdint.h>

#include <atomic>

#include "chiphost/abi/device_program.h"
#include "chiphost/platform/aicpu.h"
#include "conformance/script.h"
#include "graph/core_protocol.h"
#include "launch_memory.h"

namespace chiphost::conformance {

using core_protocol::Handshake;
using platform::Register;

class ScriptedCores {
public:
    ScriptedCores(const ch_launch& launch, Script& script) : launch_(launch), script_(script) {}

    // Clusters are dealt to threads in turn.
    template <typename Visit>
    void for_each_core(uint32_t thread, Visit&& visit) {
        for (uint32_t cluster = thread; cluster < launch_.block_dim; cluster += launch_.aicpu_thread_count) {
            const uint32_t aiv = launch_.block_dim + 2 * cluster;
            for (uint32_t core : {cluster, aiv, aiv + 1}) visit(core);
        }
    }

    template <typename Wanted>
    bool all_say(uint32_t thread, std::atomic<uint32_t> Handshake::* word, Wanted&& wanted) {
        bool all = true;
        for_each_core(thread, [&](uint32_t core) {
            Handshake& handshake = at<Handshake>(launch_.handshakes)[core];
            platform::invalidate_cache(&handshake, sizeof handshake);
            all = all && (handshake.*word).load(std::memory_order_acquire) == wanted(core);
        });
        return all;
    }

    bool reachable(uint32_t core) const { return script_.cores[core].physical < platform::chip.physical_cores; }

    void open_registers(platform::AicpuPort* port, uint32_t core) {
        Handshake& handshake = at<Handshake>(launch_.handshakes)[core];
        script_.cores[core].physical = handshake.physical_core;
        script_.cores[core].type = handshake.core_type;
        if (reachable(core)) {
            handshake.registers.store(core_protocol::RegistersUse::open, std::memory_order_relaxed);
            if (platform::chip.has(Register::fast_path)) {
                platform::write_register(port, handshake.physical_core, Register::fast_path,
                                         core_protocol::fast_path_open);
            }
            write(port, core, core_protocol::main_base_idle);
        }
        handshake.aicpu_regs_ready.store(1, std::memory_order_release);
        show(&handshake, sizeof handshake);
    }

    void close_registers(platform::AicpuPort* port, uint32_t core) {
        write(port, core, core_protocol::main_base_idle);
        if (platform::chip.has(Register::fast_path)) {
            platform::write_register(port, script_.cores[core].physical, Register::fast_path,
                                     core_protocol::fast_path_close);
        }
    }

    void write(platform::AicpuPort* port, uint32_t core, uint32_t value) {
        if (!reachable(core)) return;
        platform::write_register(port, script_.cores[core].physical, Register::data_main_base, value);
    }

    // A core without registers counts as gone.
    uint32_t cond(platform::AicpuPort* port, uint32_t core) {
        if (!reachable(core)) return core_protocol::cond_exited;
        return platform::read_register(port, script_.cores[core].physical, Register::cond);
    }

private:
    const ch_launch& launch_;
    Script& script_;
};

}  // namespace chiphost::conformance
