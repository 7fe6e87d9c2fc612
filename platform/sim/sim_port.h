// SPDX-License-Identifier: Apache-2.0
//
// The three programs of a simulated chip share these records: the engine makes them, the AICPU's and the AICore's half
// of the platform use them.
#pragma once

#include <stdint.h>

#include <atomic>

#include "check/access_recorder.h"
#include "chiphost/abi/host_runtime.h"
#include "chiphost/hand_over.h"
#include "chiphost/platform/aicore.h"
#include "chiphost/platform/aicpu.h"
#include "core_memory.h"
#include "fiber.h"
#include "graph/choices.h"

namespace chiphost::platform {

// Memory that nobody has written holds this. Floats of such bytes are NaN.
constexpr int undefined_byte = 0xFF;

// The engine's side of a register write: who may have something to do now.
struct SimEngineHooks {
    void* engine;
    void (*main_base_written)(void* engine, uint32_t core, uint32_t aicpu_thread, uint32_t value);
    void (*cond_written)(void* engine, uint32_t core, uint32_t value);
    void (*threads_signalled)(void* engine, uint32_t aicpu_thread);
    void (*handed_over)(void* engine, uint32_t core);  // to another core of its cluster
    void (*kernel_entered)(void* engine, uint32_t core, const core_protocol::Payload* payload);  // nullptr: no trace
};

// The checker's side of a launch that is checked (check/checker.h): whose code runs now.
struct SimCheckHooks {
    void* checker;
    check::AccessRecorder* recorder;  // for instrumented orchestrations
    void (*enter_kernel)(void* checker, uint32_t core, const core_protocol::Payload* payload);
    void (*leave_kernel)(void* checker, uint32_t core, bool returned);
    void (*enter_orchestration)(void* checker);
    void (*leave_orchestration)(void* checker);
};

// The registers of all cores, by the core's physical number. Each in a cache line of its own: a core and an AICPU
// thread may be stepped at the same time. Where a chip has them is not simulated (Chip::register_offset).
struct SimRegisters {
    struct alignas(64) Cell {
        std::atomic<uint32_t> value;
    };
    Cell* cells;

    std::atomic<uint32_t>& at(uint32_t physical_core, Register which) const {
        return cells[physical_core * register_count + static_cast<uint32_t>(which)].value;
    }
};

// Core numbers as the chip counts are not those of the launch, so that nobody can mix them up: backwards, and turned.
inline uint32_t sim_physical_core(uint32_t core) {
    return (chip.physical_cores + 2 - core) % chip.physical_cores;
}

// Somebody who outlives the AICPU program, and sees to it that an orchestration is not unloaded under a thread that it
// has made.
struct OrchestrationKeeper {
    void* programs;
    // Before and after an orchestration is loaded. What cannot be remembered is not kept.
    uint64_t (*clock)();
    void (*loaded)(void* programs, void* library, uint64_t loaded_at_ns);
    // Before it is closed.
    void (*closing)(void* programs, void* library);
    // Before any code of it runs.
    void (*opened)(void* programs, void* library);
};

struct AicpuPort {
    SimRegisters registers;
    const SimEngineHooks* hooks;
    const uint8_t* core_of_physical;
    uint32_t thread;
    uint64_t random;          // state of this thread's random numbers, if nobody makes choices; 0: it has none
    Fiber* fiber;             // for the strand
    const FiberStack* stack;  // of the strand
    const char* temp_folder;  // for files
    ch_run_progress* progress;
    ch_loader_gate* loader_gate;
    const OrchestrationKeeper* keeper;  // nullptr: nobody does
    const graph::Choices* choices;      // nullptr: nobody makes them
    const SimCheckHooks* check;         // nullptr: nothing is checked
};

// The services of one core for its kernel.
struct CoreServices : KernelServices {
    Fiber* fiber;  // for kernels that hand over; nullptr: this launch has none
    const SimEngineHooks* hooks;
    uint32_t core;
    const core_protocol::Payload* payload;  // of the kernel that runs
    CoreMemory* own;
    SharedMemory* alone;          // for a task that has one core of the cluster
    SharedMemory* cluster;        // for one that has the cluster
    mutable uint32_t waited_for;  // what the kernel has said of its pause: bits as in Task::cores; 0: nothing
    mutable uint32_t let_down;    // waits that threw because the launch is over
    // Return addresses from the wait in which the launch ended outwards, as the kernel's file has them.
    static constexpr uint32_t depth_max = 8;
    mutable uint64_t waits_at[depth_max];
    mutable uint32_t wait_depth;
};

struct AicorePort {
    SimRegisters registers;
    const SimEngineHooks* hooks;
    uint32_t core;
    uint32_t physical;
    uint64_t random;  // state of this core's random numbers, if nobody makes choices; 0: it has none
    uint32_t lane;    // host thread that steps the core now
    ch_run_progress* progress;
    const FiberStack* stack;  // of services.fiber
    CoreServices services;
    const core_protocol::Payload* paused;  // of the kernel that waits on the fiber
    const graph::Choices* choices;         // nullptr: nobody makes them
    const SimCheckHooks* check;            // nullptr: nothing is checked

    // Whoever waits for the run can see that this core executes a kernel, until leave().
    void enter(const core_protocol::Payload& payload) {
        auto& own = progress->lanes[lane];
        __atomic_store_n(&own.core, static_cast<int32_t>(core), __ATOMIC_RELAXED);
        __atomic_store_n(&own.func_id, static_cast<int32_t>(payload.func_id), __ATOMIC_RELAXED);
        __atomic_store_n(&own.submission, payload.submission, __ATOMIC_RELAXED);
        __atomic_store_n(&own.task, payload.context.task, __ATOMIC_RELEASE);
    }
    void leave() { __atomic_store_n(&progress->lanes[lane].task, -1, __ATOMIC_RELAXED); }
};

// A kernel's address, as the device hands it out, is that of its entry; this bit says that it runs on a fiber.
constexpr uint64_t kernel_pauses_bit = uint64_t{1} << 63;

}  // namespace chiphost::platform
