// SPDX-License-Identifier: Apache-2.0
#include "launcher.h"

#include <string.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "chiphost/align.h"
#include "core_services.h"
#include "os/stack_size.h"
#include "status/report.h"
#include "waits.h"

namespace chiphost::platform {

namespace {

graph::KernelNames names_of(const ch_launch& launch) {
    return {reinterpret_cast<const graph::KernelName*>(launch.kernel_names), launch.kernel_count};
}

// Copies of the run's arrays, as the checker names memory.
std::vector<check::Checker::NamedMemory> arrays_in(const std::vector<ArgumentCopy>& copies) {
    std::vector<check::Checker::NamedMemory> arrays;
    for (const ArgumentCopy& copy : copies) {
        check::Memory memory;
        memory.kind = check::Memory::Kind::argument;
        memory.number = copy.number;
        memory.dtype = copy.array->dtype;
        memory.ndims = static_cast<uint8_t>(copy.array->ndims);
        memory.has_shape = true;
        memcpy(memory.shape, copy.array->shape, sizeof memory.shape);
        arrays.push_back({copy.device, memory});
    }
    return arrays;
}

}  // namespace

// Ends a launch, also when the engine throws, for want of memory: nobody may go on on the fibers of a launch that is
// over.
class Launcher::EndOfLaunch {
public:
    EndOfLaunch(Launcher* launcher, const ch_launch& launch) : launcher_(launcher), names_(names_of(launch)) {}
    ~EndOfLaunch() { end(); }
    EndOfLaunch(const EndOfLaunch&) = delete;
    EndOfLaunch& operator=(const EndOfLaunch&) = delete;

    void end() {
        if (Launcher* const launcher = std::exchange(launcher_, nullptr)) launcher->end_launch(names_, &left_behind_);
    }

    // Says what was left behind; "" if nothing was.
    const char* left_behind() const { return left_behind_.message; }

private:
    Launcher* launcher_;
    const graph::KernelNames names_;
    ch_error left_behind_ = no_error();
};

// Tells the checker, if there is one, when a launch begins and ends, whatever way it ends.
class Launcher::CheckedLaunch {
public:
    CheckedLaunch(check::Checker* checker, ch_launch* launch, const LaunchOptions& options)
        : checker_(options.check ? checker : nullptr),
          report_(options.out_check_report),
          wants_to_locate_(options.out_wants_to_locate) {
        if (!checker_) return;
        std::vector<check::Checker::NamedMemory> arrays;
        if (options.argument_copies) arrays = arrays_in(*options.argument_copies);
        checker_->begin_launch(*launch, options.check, options.locates, arrays);
        launch->observer = reinterpret_cast<uint64_t>(checker_->observer());
    }
    ~CheckedLaunch() {
        if (!checker_) return;
        try {
            checker_->end_launch();
            if (report_) *report_ = checker_->report();
            if (wants_to_locate_) *wants_to_locate_ = checker_->wants_to_locate();
        } catch (const std::bad_alloc&) {
            // Without a report the run fails: nothing passes unchecked.
        }
    }
    CheckedLaunch(const CheckedLaunch&) = delete;
    CheckedLaunch& operator=(const CheckedLaunch&) = delete;

private:
    check::Checker* const checker_;
    std::string* const report_;
    bool* const wants_to_locate_;
};

Launcher::Launcher(const ch_device_options& options, DevicePrograms* programs, check::Checker* checker, Arena* arena)
    : anchor_(options.anchor),
      anchor_state_(options.anchor_state),
      temp_folder_(options.temp_folder),
      fork_mark_(ch_anchor_fork_mark(anchor_, anchor_state_)),
      stack_bytes_(os::stack_bytes_for(options.stack_bytes)),
      programs_(*programs),
      checker_(checker),
      arena_(arena),
      check_hooks_{checker,
                   checker ? checker->recorder() : nullptr,
                   [](void* self, uint32_t core, const core_protocol::Payload* payload) {
                       static_cast<check::Checker*>(self)->enter_kernel(core, *payload);
                   },
                   [](void* self, uint32_t core, bool returned) {
                       static_cast<check::Checker*>(self)->leave_kernel(core, returned);
                   },
                   [](void* self) { static_cast<check::Checker*>(self)->enter_orchestration(); },
                   [](void* self) { static_cast<check::Checker*>(self)->leave_orchestration(); }},
      registers_(chip.physical_cores * register_count),
      pausables_(stack_bytes_) {}

Launcher::~Launcher() {
    for (ch_mailbox* helper : helpers_) {
        helper->same_user = 0;
        ch_anchor_counts ignored;
        ch_mailbox_call(helper, anchor_->count, anchor_state_, nullptr, &ignored);  // puts its state back, all of it
    }
    for (ch_mailbox* helper : helpers_) anchor_->return_thread(anchor_state_, helper, nullptr);
}

Status Launcher::lend_helpers(uint32_t count, ch_error* out_error) {
    helpers_.reserve(count);  // before one is lent that would be lost
    while (helpers_.size() < count) {
        ch_mailbox* helper = nullptr;
        if (const Status failed = anchor_->lease_thread(anchor_state_, &stack_bytes_, &helper); !failed.ok()) {
            return report(out_error, static_cast<ch_code>(failed.code()), "sim_threads",
                          "the system refuses thread %zu of %u helpers", helpers_.size() + 1, count);
        }
        helper->same_user = 1;  // until the device is closed
        helpers_.push_back(helper);
    }
    return CH_OK;
}

// Launches in the next order of an exploration.
Status Launcher::explore(const LaunchOptions& options, ch_error* out_error) {
    ch_exploration& wanted = *options.exploration;
    if (options.schedule == 0) exploration_ = std::make_unique<Exploration>(wanted);
    const auto& launch = *reinterpret_cast<const ch_launch*>(options.launch);
    const auto* graph = reinterpret_cast<const graph::Image*>(launch.graph);
    SequentialEngine engine(exploration_->begin(wanted, options.schedule, graph), options.progress, options.out_trace,
                            kernels_pause_);
    const Status launched = run(engine, options, out_error);
    exploration_->ended(engine.order(), &wanted);
    return launched;
}

Status Launcher::launch(const LaunchOptions& options, ch_error* out_error) {
    if (options.exploration) return explore(options, out_error);
    if (options.sim_threads <= 1) {
        RandomOracle random(options.seed);
        SequentialEngine engine(options.seed ? &random : nullptr, options.progress, options.out_trace, kernels_pause_);
        return run(engine, options, out_error);
    }
    CH_TRY(lend_helpers(options.sim_threads - 1, out_error));
    const std::vector<ch_mailbox*> helpers(helpers_.begin(), helpers_.begin() + options.sim_threads - 1);
    ParallelEngine engine(helpers, options.progress, kernels_pause_);
    return run(engine, options, out_error);
}

Status Launcher::run(Engine& engine, const LaunchOptions& options, ch_error* out_error) {
    auto& launch = *reinterpret_cast<ch_launch*>(options.launch);
    launch.choices = reinterpret_cast<uint64_t>(engine.choices());
    const CheckedLaunch checked(checker_, &launch, options);
    const uint32_t cores = options.block_dim * 3;
    CH_TRY(pausables_.make(kernels_pause_ ? cores : 0, out_error));
    core_ports_.resize(cores);
    while (memories_.size() < cores) {
        memories_.push_back(std::make_unique<Memories>());
        const auto core = static_cast<uint32_t>(memories_.size() - 1);
        if (!checker_) continue;
        memories_.back()->own.be_checked(arena_, [this, core](const char* name, uint64_t address, uint64_t bytes) {
            checker_->local_memory(core, name, address, bytes);
        });
    }
    const uint64_t core_bytes = align_up(programs_.aicore().context_bytes());
    char* core_contexts = core_contexts_.at_least(core_bytes * cores);
    for (uint32_t core = 0; core < cores; ++core) {
        connect_core(core, engine, options);
        programs_.aicore().init(core_contexts + core * core_bytes, &launch, core,
                                core < options.block_dim ? CH_AIC : CH_AIV, &core_ports_[core]);
    }
    AicpuPort aicpu_ports[Processors::max_aicpu_threads];
    void* aicpu_port_addresses[Processors::max_aicpu_threads];
    for (uint32_t thread = 0; thread < options.aicpu_threads; ++thread) {
        aicpu_ports[thread] = port_of_thread(thread, engine, options);
        aicpu_port_addresses[thread] = &aicpu_ports[thread];
    }
    programs_.aicpu().begin(programs_.aicpu_context(), &launch, aicpu_port_addresses);
    EndOfLaunch end_of_launch(this, launch);

    const Processors processors{&programs_.aicpu(),
                                programs_.aicpu_context(),
                                options.aicpu_threads,
                                &programs_.aicore(),
                                core_contexts,
                                core_bytes,
                                core_ports_.data(),
                                cores,
                                fork_mark_,
                                reinterpret_cast<const core_protocol::Payload*>(launch.payloads)};
    const End end = engine.run(processors);
    if (end != End::finished) explain(end, launch, out_error);
    end_of_launch.end();
    if (end != End::finished) report_stall(engine, end, launch, options, out_error);
    // The run's error is here or in what the scheduler wrote; the host says which.
    auto& status = *reinterpret_cast<ch_launch_status*>(launch.status);
    if (status.complete) append(&status.error, "%s", end_of_launch.left_behind());
    if (end == End::finished) report_deadlock(engine, launch, status, options);
    if (end == End::finished) return CH_OK;
    append(out_error, "%s", end_of_launch.left_behind());
    return out_error->code;
}

AicpuPort Launcher::port_of_thread(uint32_t thread, const Engine& engine, const LaunchOptions& options) {
    const uint64_t random = options.seed == 0 ? 0 : ~options.seed * 2 + 1;
    Pausable& orchestration = pausables_.orchestration();
    return {{registers_.data()},  engine.hooks(),       core_of_physical_,    thread,           random,
            &orchestration.fiber, &orchestration.stack, temp_folder_.c_str(), options.progress, programs_.loader_gate(),
            &programs_.keeper(),  engine.choices(),     check_hooks()};
}

void Launcher::connect_core(uint32_t core, const Engine& engine, const LaunchOptions& options) {
    const SimRegisters registers{registers_.data()};
    const uint32_t physical = sim_physical_core(core);
    core_of_physical_[physical] = static_cast<uint8_t>(core);
    const uint64_t random = options.seed == 0 ? 0 : (options.seed + core) * 2 + 1;
    AicorePort& port = core_ports_[core];
    port = {registers,        engine.hooks(), core, physical, random,           0,
            options.progress, nullptr,        {},   nullptr,  engine.choices(), check_hooks()};
    static_cast<KernelServices&>(port.services) = core_services;
    port.services.hooks = engine.hooks();
    port.services.core = core;
    memories_[core]->begin_run(&port.services, memories_[core_protocol::cluster_of(core, options.block_dim)].get());
    if (Pausable* const pausable = pausables_.kernel(core)) {
        port.services.fiber = &pausable->fiber;
        port.stack = &pausable->stack;
    }
    // The previous launch may have been cut off: no register may speak of it.
    registers.at(physical, Register::data_main_base).store(core_protocol::main_base_idle, std::memory_order_relaxed);
    registers.at(physical, Register::cond).store(0, std::memory_order_relaxed);
}

// Fills the error of a launch that did not finish.
void Launcher::explain(End end, const ch_launch& launch, ch_error* out_error) {
    ch_error state;
    programs_.aicpu().explain_stall(programs_.aicpu_context(), &state);
    // The scheduler's chain of waits goes as far as a core; here it is known what that waits for.
    const std::string last = " for core " + std::to_string(state.core);
    const std::string_view text(state.message);
    if (text.size() >= last.size() && text.substr(text.size() - last.size()) == last) {
        const Waits waits(core_ports_, *reinterpret_cast<const graph::Image*>(launch.graph), end == End::stalled);
        append(&state, "%s", waits.chain_from(static_cast<uint32_t>(state.core)).c_str());
    }
    *out_error = state;
    if (end == End::stalled) return;
    report(out_error, CH_DEADLINE_EXCEEDED, "device", "stopped on request; %s", state.message);
    out_error->task = state.task;
    out_error->core = state.core;
}

// Says which kernels wait for which cores, now that they have been let down; and what happened last.
void Launcher::report_stall(const Engine& engine, End end, const ch_launch& launch, const LaunchOptions& options,
                            ch_error* out_error) const {
    constexpr size_t lines_max = 4;   // of the message
    constexpr size_t cycles_max = 2;  // of the message
    const graph::KernelNames names = names_of(launch);
    const Waits waits(core_ports_, *reinterpret_cast<const graph::Image*>(launch.graph), end == End::stalled);
    const std::vector<std::string> lines = waits.lines(names);
    const std::vector<std::string> cycles = waits.cycles();
    for (size_t i = 0; i < lines.size() && i < lines_max; ++i) append(out_error, "; %s", lines[i].c_str());
    if (lines.size() > lines_max) append(out_error, "; the report has %zu more", lines.size() - lines_max);
    for (size_t i = 0; i < cycles.size() && i < cycles_max; ++i) append(out_error, "; %s", cycles[i].c_str());
    if (!options.out_stall_report) return;
    std::string& report = *options.out_stall_report;
    report = std::string(out_error->message) + "\n";
    for (const auto* part : {&lines, &cycles}) {
        for (const std::string& line : *part) report += line + "\n";
    }
    if (kernels_pause_) report += engine.events().text(names);
}

// The orchestrator has refused to wait for what can never be. Says what happened last.
void Launcher::report_deadlock(const Engine& engine, const ch_launch& launch, const ch_launch_status& status,
                               const LaunchOptions& options) const {
    constexpr int32_t deadlocks[] = {CH_SCOPE_DEADLOCK,    CH_HEAP_DEADLOCK, CH_WINDOW_DEADLOCK,
                                     CH_DEP_POOL_DEADLOCK, CH_ELEMENT_WAIT,  CH_TENSOR_MAP_DEADLOCK};
    const bool is_deadlock =
        std::find(std::begin(deadlocks), std::end(deadlocks), status.error.code) != std::end(deadlocks);
    if (!options.out_stall_report || !status.complete || !is_deadlock) return;
    *options.out_stall_report = std::string(status.error.message) + "\n";
    if (kernels_pause_) *options.out_stall_report += engine.events().text(names_of(launch));
}

// Nothing may refer to the launch any more afterwards.
void Launcher::end_launch(const graph::KernelNames& names, ch_error* inout_left_behind) {
    programs_.aicpu().end(programs_.aicpu_context());
    end_orchestration(inout_left_behind);
    end_kernels(names, inout_left_behind);
}

// The AICPU program has done what it can to make the orchestration return.
void Launcher::end_orchestration(ch_error* inout_left_behind) {
    if (!pausables_.orchestration().fiber.begun()) return;
    append(inout_left_behind,
           "; the orchestration did not return although its calls said again and again that the run is over, and was "
           "left behind with its stack (%u of this worker)",
           pausables_.leave_orchestration_behind());
}

// Kernels that were waiting when the launch was cut off must return before their stacks are used again.
void Launcher::end_kernels(const graph::KernelNames& names, ch_error* inout_left_behind) {
    for (AicorePort& port : core_ports_) {
        if (!port.services.fiber || !port.services.fiber->begun()) continue;
        port.services.pause = let_down;
        port.enter(*port.paused);
        const bool returned = port.services.fiber->resume(*port.stack, nullptr, nullptr);
        port.leave();
        if (returned) continue;
        append(inout_left_behind,
               "; %s of submit #%u on core %u did not return when its wait failed %u times, and was left behind with "
               "its stack (%u of this worker)",
               names.kernel(port.paused->func_id).text, port.paused->submission, port.core, let_down_max,
               pausables_.leave_kernel_behind(port.core));
    }
}

}  // namespace chiphost::platform
