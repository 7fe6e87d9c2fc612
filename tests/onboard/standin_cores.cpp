// SPDX-License-Identifier: Apache-2.0
#include "standin_cores.h"

#include <stdlib.h>

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "chiphost/align.h"
#include "onboard/driver.h"
#include "standin_core.h"
#include "standin_registers.h"
#include "standin_state.h"

namespace chiphost::platform::standin {

namespace {

constexpr size_t kernel_stack_bytes = 8u << 20;

}  // namespace

int32_t run_cores(const ch_aicore_program* program, uint32_t block_dim, const LaunchRecord* record,
                  const std::string& held_by, bool late) {
    const std::lock_guard<std::mutex> turn(process().cores);
    hold(held_by);
    const auto* launch = reinterpret_cast<const ch_launch*>(record->launch);
    const uint32_t cores = block_dim * 3;
    const uint64_t context_bytes = align_up(program->context_bytes());
    const std::unique_ptr<char, decltype(&free)> contexts(static_cast<char*>(aligned_alloc(64, context_bytes * cores)),
                                                          free);
    std::vector<AicorePort> ports(cores);
    for (uint32_t core = 0; core < cores; ++core) {
        AicorePort& port = ports[core];
        Place place{};
        {
            const std::lock_guard<std::mutex> lock(process().mutex);
            place = place_of(core, block_dim);
        }
        port.physical = place.physical;
        port.registers = place.registers;
        port.find_kernel = find_kernel;
        port.services.fiber = &port.fiber;
        port.services.pause = [](const KernelServices* services) {
            static_cast<const StandinServices*>(services)->fiber->pause();
        };
        port.services.notify = [](const KernelServices*) {};
        if (!port.stack.make(kernel_stack_bytes)) return refuse(acl_error_out_of_memory, "no stack for a core");
        program->init(contexts.get() + core * context_bytes, launch, core, core < block_dim ? CH_AIC : CH_AIV, &port);
    }
    const auto* handshakes = reinterpret_cast<const core_protocol::Handshake*>(launch->handshakes);
    const auto is_late = [&](uint32_t core) {
        return late && handshakes[core].aicpu_regs_ready.load() != 0 && handshakes[core].aicore_done.load() == 0 &&
               aicpu_runs(record);
    };
    std::vector<bool> done(cores);
    for (uint32_t left = cores; left != 0;) {
        bool worked = false;
        for (uint32_t core = 0; core < cores; ++core) {
            if (done[core] || is_late(core)) continue;
            const ch_step step = program->step(contexts.get() + core * context_bytes);
            worked = worked || step == CH_STEP_WORKED;
            if (step != CH_STEP_DONE) continue;
            done[core] = true;
            --left;
        }
        if (!worked) std::this_thread::yield();
    }
    return 0;
}

}  // namespace chiphost::platform::standin
