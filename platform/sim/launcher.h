// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

#include "check/checker.h"
#include "chiphost/platform/device.h"
#include "device_programs.h"
#include "engine.h"
#include "exploration.h"
#include "graph/kernel_names.h"
#include "pausables.h"
#include "scratch.h"
#include "sim_port.h"
#include "status/status.h"

namespace chiphost::platform {

// Launches a simulated device's programs: gives every processor its port, has an engine step them, and sees to it that
// nothing of the launch goes on afterwards. It keeps what launches have in common: registers, the cores' own memories,
// stacks, lent threads. Used by one thread at a time.
class Launcher {
public:
    // The options are borrowed for the call, programs, checker and arena for good. The last two are nullptr if
    // nothing is checked.
    Launcher(const ch_device_options& options, DevicePrograms* programs, check::Checker* checker, Arena* arena);
    ~Launcher();  // returns the threads
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;

    // There is a kernel that pauses: launches from now on have stacks for kernels.
    void let_kernels_pause() { kernels_pause_ = true; }

    // Launches both programs; see platform::launch.
    Status launch(const LaunchOptions& options, ch_error* out_error);

private:
    // The memories that a core's kernels find besides device memory.
    struct Memories {
        CoreMemory own;
        SharedMemory alone;    // of tasks that have this core only
        SharedMemory cluster;  // on the AIC: of tasks that have its cluster

        // `aic` is those of the cluster's AIC.
        void begin_run(CoreServices* services, Memories* aic) {
            own.begin_run();
            alone.begin_run();
            cluster.begin_run();
            services->own = &own;
            services->alone = &alone;
            services->cluster = &aic->cluster;
        }
    };
    class EndOfLaunch;
    class CheckedLaunch;

    Status explore(const LaunchOptions& options, ch_error* out_error);
    Status lend_helpers(uint32_t count, ch_error* out_error);
    Status run(Engine& engine, const LaunchOptions& options, ch_error* out_error);
    AicpuPort port_of_thread(uint32_t thread, const Engine& engine, const LaunchOptions& options);
    void connect_core(uint32_t core, const Engine& engine, const LaunchOptions& options);
    const SimCheckHooks* check_hooks() const { return checker_ ? &check_hooks_ : nullptr; }
    void explain(End end, const ch_launch& launch, ch_error* out_error);
    void report_deadlock(const Engine& engine, const ch_launch& launch, const ch_launch_status& status,
                         const LaunchOptions& options) const;
    void report_stall(const Engine& engine, End end, const ch_launch& launch, const LaunchOptions& options,
                      ch_error* out_error) const;
    void end_launch(const graph::KernelNames& names, ch_error* inout_left_behind);
    void end_kernels(const graph::KernelNames& names, ch_error* inout_left_behind);
    void end_orchestration(ch_error* inout_left_behind);

    const ch_anchor* const anchor_;
    void* const anchor_state_;
    const std::string temp_folder_;
    const ch_fork_mark* const fork_mark_;
    const uint64_t stack_bytes_;  // of pausables and helpers
    DevicePrograms& programs_;
    check::Checker* const checker_;
    Arena* const arena_;
    const SimCheckHooks check_hooks_;
    bool kernels_pause_ = false;
    std::vector<SimRegisters::Cell> registers_;
    Pausables pausables_;
    Scratch core_contexts_;
    std::vector<AicorePort> core_ports_;
    std::vector<std::unique_ptr<Memories>> memories_;  // by core
    std::unique_ptr<Exploration> exploration_;         // the last one
    std::vector<ch_mailbox*> helpers_;                 // lent for as long as the device is open
    uint8_t core_of_physical_[Processors::max_cores] = {};
};

}  // namespace chiphost::platform
