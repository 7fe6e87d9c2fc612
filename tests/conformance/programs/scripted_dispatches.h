// SPDX-License-Identifier: Apache-2.0
//
// The dispatches of a launch, and the answers of the cores to them.
#pragma once

#include <stdint.h>

#include "chiphost/abi/device_program.h"
#include "chiphost/platform/aicpu.h"
#include "conformance/script.h"
#include "graph/core_protocol.h"
#include "launch_memory.h"
#include "scripted_cores.h"
#include "status/report.h"

namespace chiphost::conformance {

using core_protocol::Payload;

class ScriptedDispatches {
public:
    ScriptedDispatches(const ch_launch& launch, Script& script, ScriptedCores& cores)
        : launch_(launch), script_(script), cores_(cores), kernel_(*at<const uint64_t>(launch.kernels)) {}

    // Starts every dispatch that can be started and reads answers. The answer for a dispatch says that earlier ones
    // have finished.
    ch_step step(uint32_t thread, platform::AicpuPort* port) {
        bool all = true;
        cores_.for_each_core(thread, [&](uint32_t core) {
            if (!cores_.reachable(core)) return;
            Dispatches& dispatches = dispatches_[core];
            if (dispatches.written == 0) {
                start(port, core);
            } else {
                collect(port, core);
                const uint32_t free_from =
                    script_.work == Work::dispatch_ahead ? dispatches.acknowledged : dispatches.finished;
                if (free_from == dispatches.written && dispatches.written < script_.rounds) start(port, core);
            }
            all = all && dispatches.finished == script_.rounds;
        });
        return all ? CH_STEP_DONE : CH_STEP_IDLE;
    }

private:
    // One core's dispatches.
    struct Dispatches {
        uint32_t written = 0;
        uint32_t acknowledged = 0;
        uint32_t finished = 0;
        uint32_t cond = core_protocol::cond_idle;  // as last seen
    };

    void start(platform::AicpuPort* port, uint32_t core) {
        const uint32_t number = ++dispatches_[core].written;
        Payload& payload = at<Payload>(launch_.payloads)[2 * core + (number & 1)];
        payload.kernel = kernel_;
        payload.status = core_protocol::KernelStatus::ok;
        payload.func_id = 0;
        payload.cores = 1;
        payload.context = KernelContext{};
        payload.context.task = number;
        payload.context.block_idx = static_cast<int32_t>(number);
        payload.context.block_num = static_cast<int32_t>(script_.rounds);
        payload.context.core = static_cast<int32_t>(core);
        const bool aiv = core >= launch_.block_dim;
        payload.context.core_type = static_cast<int16_t>(aiv ? CH_AIV : CH_AIC);
        payload.context.sub_block_id = static_cast<int16_t>(aiv ? (core - launch_.block_dim) % 2 : 0);
        payload.context.hand_over = launch_.hand_over;
        payload.context_address = reinterpret_cast<uint64_t>(&payload.context);
        payload.args[0] = script_.records + core * sizeof(KernelRecord);
        payload.args[1] = number;
        for (uint32_t i = 2; i < kernel_args; ++i) payload.args[i] = argument(number, i);
        show(&payload, sizeof payload);
        if (script_.work == Work::overwrite) cores_.write(port, core, core_protocol::main_base_idle);
        cores_.write(port, core, number);
    }

    void collect(platform::AicpuPort* port, uint32_t core) {
        Dispatches& dispatches = dispatches_[core];
        CoreRecord& record = script_.cores[core];
        const uint32_t answer = cores_.cond(port, core);
        if (answer == dispatches.cond) return;
        const uint32_t number = answer & ~core_protocol::cond_finish_bit;
        const bool finished = (answer & core_protocol::cond_finish_bit) != 0;
        const bool older =
            number < dispatches.acknowledged || (number == dispatches.acknowledged && dispatches.finished == number);
        if (number == 0 || number > dispatches.written || older) {
            ++record.surprises;
            record.surprise = answer;
            return;
        }
        dispatches.cond = answer;
        const uint32_t finished_now = finished ? number : number - 1;
        for (uint32_t done = dispatches.finished + 1; done <= finished_now; ++done) note_end(core, done);
        dispatches.acknowledged = number;
        dispatches.finished = finished_now;
        record.acknowledged = number;
        record.finished = finished_now;
    }

    void note_end(uint32_t core, uint32_t number) {
        Payload& payload = at<Payload>(launch_.payloads)[2 * core + (number & 1)];
        platform::invalidate_cache(&payload, sizeof payload);
        if (payload.status == core_protocol::KernelStatus::ok) return;
        ++script_.cores[core].threw;
        copy_text(script_.cores[core].fault, sizeof script_.cores[core].fault, payload.fault_text);
    }

    const ch_launch& launch_;
    Script& script_;
    ScriptedCores& cores_;
    const uint64_t kernel_;
    Dispatches dispatches_[cores_max];
};

}  // namespace chiphost::conformance
