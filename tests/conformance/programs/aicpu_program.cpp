// SPDX-License-Identifier: Apache-2.0
//
// The suite's AICPU program: follows the script in device memory, with the platform's half of the AICPU. The AICore
// program is the real one.
#include <stdint.h>

#include <atomic>
#include <new>

#include "chiphost/abi/device_program.h"
#include "chiphost/platform/aicpu.h"
#include "conformance/script.h"
#include "graph/core_protocol.h"
#include "launch_memory.h"
#include "orchestration_loads.h"
#include "scripted_cores.h"
#include "scripted_dispatches.h"
#include "scripted_strand.h"
#include "signal_watch.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

constexpr uint32_t steps_between_ends = 64;  // Work::nothing

static_assert(cores_max >= platform::cores_max && threads_max >= platform::aicpu_threads_max, "script.h");

// One launch.
class Launch {
public:
    Launch(const ch_launch& launch, void* const* ports) : launch_(launch), script_(*at<Script>(launch.graph)) {
        for (uint32_t i = 0; i < launch.aicpu_thread_count; ++i) {
            threads_[i].port = static_cast<platform::AicpuPort*>(ports[i]);
            for (uint32_t before = 0; before < i; ++before) {
                if (threads_[before].port == threads_[i].port) script_.ports_shared = 1;
            }
        }
        ++script_.begun;
        show(&script_, sizeof script_);
    }

    ch_step step(uint32_t index) {
        Thread& thread = threads_[index];
        switch (thread.phase) {
            case Phase::announce:
                script_.threads[index].begun = 1;
                cores_.for_each_core(index, [&](uint32_t core) {
                    Handshake& handshake = at<Handshake>(launch_.handshakes)[core];
                    handshake.payloads = launch_.payloads + 2 * core * sizeof(Payload);
                    handshake.aicpu_ready.store(1, std::memory_order_release);
                    show(&handshake, sizeof handshake);
                });
                thread.phase = Phase::open_registers;
                return CH_STEP_WORKED;
            case Phase::open_registers:
                if (!cores_.all_say(index, &Handshake::aicore_regs_ready, [](uint32_t) { return 1u; }))
                    return CH_STEP_POLL;
                cores_.for_each_core(index, [&](uint32_t core) { cores_.open_registers(thread.port, core); });
                thread.phase = Phase::await_cores;
                return CH_STEP_WORKED;
            case Phase::await_cores:
                if (!cores_.all_say(index, &Handshake::aicore_done, [](uint32_t core) { return core + 1; })) {
                    return CH_STEP_POLL;
                }
                thread.phase = Phase::work;
                return CH_STEP_WORKED;
            case Phase::work: {
                const ch_step result = work(index);
                if (result != CH_STEP_DONE) return result;
                cores_.for_each_core(index, [&](uint32_t core) {
                    Handshake& handshake = at<Handshake>(launch_.handshakes)[core];
                    handshake.registers.store(core_protocol::RegistersUse::told_to_exit, std::memory_order_relaxed);
                    show(&handshake, sizeof handshake);
                    cores_.write(thread.port, core, core_protocol::main_base_exit);
                });
                thread.phase = Phase::await_exit;
                return CH_STEP_WORKED;
            }
            case Phase::await_exit: {
                bool all = true;
                cores_.for_each_core(index, [&](uint32_t core) {
                    all = all && cores_.cond(thread.port, core) == core_protocol::cond_exited;
                });
                if (!all) return CH_STEP_IDLE;
                cores_.for_each_core(index, [&](uint32_t core) {
                    if (cores_.reachable(core)) cores_.close_registers(thread.port, core);
                });
                script_.threads[index].done = 1;
                show(&script_, sizeof script_);
                thread.phase = Phase::done;
                return CH_STEP_DONE;
            }
            case Phase::done:
                return CH_STEP_DONE;
        }
        return CH_STEP_DONE;
    }

    void stop() { stopping_.store(true, std::memory_order_release); }

    void end() {
        stop();
        strand_.finish();
        ++script_.ended;
        show(&script_, sizeof script_);
    }

private:
    enum class Phase : uint8_t { announce, open_registers, await_cores, work, await_exit, done };

    struct Thread {
        platform::AicpuPort* port = nullptr;
        Phase phase = Phase::announce;
        uint32_t steps = 0;
    };

    // One step of a thread's share. CH_STEP_DONE: it has done it.
    ch_step work(uint32_t index) {
        Thread& thread = threads_[index];
        if (stopping_.load(std::memory_order_acquire)) return CH_STEP_DONE;
        switch (script_.work) {
            case Work::nothing:
                return thread.steps++ < index * steps_between_ends ? CH_STEP_WORKED : CH_STEP_DONE;
            case Work::dispatch:
            case Work::dispatch_ahead:
            case Work::overwrite:
                return dispatches_.step(index, thread.port);
            case Work::strand:
                if (index != 0) return CH_STEP_DONE;
                return strand_.run(thread.port) ? CH_STEP_DONE : CH_STEP_WORKED;
            case Work::signal:
                return signals_.step(index, thread.port);
            case Work::orchestrations:
                if (index == 0) OrchestrationLoads(script_, thread.port).run();
                return CH_STEP_DONE;
            case Work::report_status:
                if (index == 0) report_status();
                return CH_STEP_DONE;
            case Work::forget:
                if (index == 0) platform::forget_content(at<void>(script_.memory), script_.memory_bytes);
                return CH_STEP_DONE;
            case Work::never_end:
                return index == 0 ? CH_STEP_POLL : CH_STEP_DONE;
            case Work::never_end_in_strand:
            case Work::abandon_strand:
                if (index != 0) return CH_STEP_DONE;
                return strand_.run(thread.port) ? CH_STEP_POLL : CH_STEP_WORKED;
            case Work::sleep_for_ever:
                return CH_STEP_IDLE;
        }
        return CH_STEP_DONE;
    }

    void report_status() {
        auto& status = *at<ch_launch_status>(launch_.status);
        report(&status.error, fault_code, "device", "%s", fault_message);
        status.error.task = 17;
        status.complete = 1;
        show(&status, sizeof status);
    }

    const ch_launch& launch_;
    Script& script_;
    std::atomic<bool> stopping_{false};
    ScriptedCores cores_{launch_, script_};
    ScriptedDispatches dispatches_{launch_, script_, cores_};
    ScriptedStrand strand_{script_, stopping_};
    SignalWatch signals_{script_, launch_.aicpu_thread_count};
    Thread threads_[threads_max];
};

constexpr ch_aicpu_program table = {
    CH_ABI_HEADER(ch_aicpu_program, CH_ABI_AICPU_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                  CHIPHOST_PLATFORM),
    []() { return uint64_t{sizeof(Launch)}; },
    [](void*) {},
    [](void* context, const ch_launch* launch, void* const* ports) { new (context) Launch(*launch, ports); },
    [](void* context, uint32_t thread) { return static_cast<Launch*>(context)->step(thread); },
    [](void*, ch_error* out_error) { report(out_error, CH_STALLED, "device", "%s", stall_message); },
    [](void* context) { static_cast<Launch*>(context)->end(); },
    [](void*) {},
    [](void* context) { static_cast<Launch*>(context)->stop(); },
};

}  // namespace

}  // namespace chiphost::conformance

extern "C" __attribute__((visibility("default"))) const ch_aicpu_program* chiphost_aicpu_program() {
    return &chiphost::conformance::table;
}
