// SPDX-License-Identifier: Apache-2.0
#include "host_context.h"

#include <algorithm>
#include <new>

#include "status/report.h"

namespace chiphost::host {

namespace {

constexpr uint32_t all_checks = 1 | 2 | 4 | 8 | 16 | 32;

void set_phase(const ch_run_request& request, ch_run_phase phase) {
    __atomic_store_n(&request.progress->phase, static_cast<uint32_t>(phase), __ATOMIC_RELEASE);
}

Status check_range(const char* field, uint32_t value, uint32_t low, uint32_t high, ch_error* out_error) {
    if (value >= low && value <= high) return CH_OK;
    return report(out_error, CH_CONFIG_OUT_OF_RANGE, field, "wanted %u to %u on %s, found %u", low, high,
                  platform::chip.name, value);
}

// Returns the configuration with numbers in place of zeros, but for the rings, which only their runtime can tell how
// large they may be.
ch_call_config with_defaults(ch_call_config config) {
    const platform::Chip& chip = platform::chip;
    if (config.block_dim == 0) config.block_dim = std::min<uint32_t>(CH_BLOCK_DIM_DEFAULT, chip.clusters);
    if (config.aicpu_thread_num == 0) {
        config.aicpu_thread_num = std::min<uint32_t>(CH_AICPU_THREAD_NUM_DEFAULT, chip.aicpu_threads);
    }
    return config;
}

Status check_config(const ch_call_config& config, ch_error* out_error) {
    const platform::Chip& chip = platform::chip;
    CH_TRY(check_range("block_dim", config.block_dim, 1, chip.clusters, out_error));
    CH_TRY(check_range("aicpu_thread_num", config.aicpu_thread_num, 1, chip.aicpu_threads, out_error));
    CH_TRY(check_range("orch_thread_num", config.orch_thread_num, 0, config.aicpu_thread_num, out_error));
    CH_TRY(check_range("sim_threads", config.sim_threads, 1, CH_MAX_SIM_THREADS, out_error));
    if (config.trace && config.sim_threads != 1) {
        return report(out_error, CH_CONFIG_OUT_OF_RANGE, "trace",
                      "wanted sim_threads 1: only a run on one thread has an order to record; found %u",
                      config.sim_threads);
    }
    if (config.check & ~all_checks) {
        return report(out_error, CH_CONFIG_OUT_OF_RANGE, "check", "wanted a sum of 1, 2, 4, 8, 16 and 32, found %u",
                      config.check);
    }
    if (config.check && config.sim_threads != 1) {
        return report(out_error, CH_CONFIG_OUT_OF_RANGE, "check",
                      "wanted sim_threads 1: only a run on one thread can be checked; found %u", config.sim_threads);
    }
    const uint32_t window = config.ring_task_window;
    if (window != 0 &&
        (window < CH_RING_TASK_WINDOW_MIN || window > CH_RING_TASK_WINDOW_MAX || (window & (window - 1)) != 0)) {
        return report(out_error, CH_CONFIG_OUT_OF_RANGE, "ring_task_window",
                      "wanted a power of two from %u to %u, found %u", CH_RING_TASK_WINDOW_MIN, CH_RING_TASK_WINDOW_MAX,
                      window);
    }
    const uint32_t edges = config.ring_dep_pool;
    if (edges != 0 && (edges < CH_RING_DEP_POOL_MIN || edges > CH_RING_DEP_POOL_MAX)) {
        return report(out_error, CH_CONFIG_OUT_OF_RANGE, "ring_dep_pool", "wanted %u to %u, found %u",
                      CH_RING_DEP_POOL_MIN, CH_RING_DEP_POOL_MAX, edges);
    }
    if (config.ring_heap_bytes != 0 && config.ring_heap_bytes < CH_RING_HEAP_MIN) {
        return report(out_error, CH_CONFIG_OUT_OF_RANGE, "ring_heap_bytes", "wanted %u or more, found %llu",
                      CH_RING_HEAP_MIN, static_cast<unsigned long long>(config.ring_heap_bytes));
    }
    if (config.ring_heap_bytes > chip.memory_bytes) {
        return report(out_error, CH_CONFIG_OUT_OF_RANGE, "ring_heap_bytes",
                      "wanted at most the chip's %llu, found %llu", static_cast<unsigned long long>(chip.memory_bytes),
                      static_cast<unsigned long long>(config.ring_heap_bytes));
    }
    return CH_OK;
}

// The caller may have given up waiting. Only one of the two may use its arrays from now on.
bool claim_arrays(ch_run_progress* progress) {
    uint32_t open = CH_CLAIM_OPEN;
    return __atomic_compare_exchange_n(&progress->claim, &open, CH_CLAIM_COPY_OUT, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

// The same where the runtime may have them already.
bool hold_arrays(ch_run_progress* progress) {
    return __atomic_load_n(&progress->claim, __ATOMIC_ACQUIRE) == CH_CLAIM_COPY_OUT || claim_arrays(progress);
}

// From now on the caller may give up again.
void release_arrays(ch_run_progress* progress) {
    uint32_t copying = CH_CLAIM_COPY_OUT;
    __atomic_compare_exchange_n(&progress->claim, &copying, CH_CLAIM_OPEN, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

Status check_exploration(const ch_exploration& exploration, const ch_call_config& config, bool under_way,
                         ch_error* out_error) {
    CH_TRY(check_range("strategy", exploration.strategy, CH_STRATEGY_REPLAY, CH_STRATEGY_EXHAUSTIVE, out_error));
    CH_TRY(check_range("level", exploration.level, CH_LEVEL_TASKS, CH_LEVEL_STEPS, out_error));
    if (exploration.strategy == CH_STRATEGY_PCT) CH_TRY(check_range("depth", exploration.depth, 1, 64, out_error));
    CH_TRY(check_range("sim_threads", config.sim_threads, 1, 1, out_error));
    if (config.check) {
        return report(out_error, CH_CONFIG_OUT_OF_RANGE, "check",
                      "wanted 0: an exploration compares the outputs of schedules, and checks nothing else; found %u; "
                      "check the callable in a run of its own",
                      config.check);
    }
    if (exploration.goes_on && !under_way) {
        return report(out_error, CH_INVALID_ARGUMENT, "goes_on", "wanted 0: no exploration is under way");
    }
    return CH_OK;
}

}  // namespace

Status HostContext::open(const ch_device_options& options, ch_error* out_error) {
    options_.emplace(options);
    device_memory_bytes_ = options.device_memory_bytes ? options.device_memory_bytes : platform::chip.memory_bytes;
    return plain_.open(options_->raw(), out_error);
}

// The device that a run of this configuration is for.
Status HostContext::device_for(const ch_call_config& config, OpenedDevice** out_device, ch_error* out_error) {
    *out_device = &plain_;
    if (config.check == 0) return CH_OK;
    if (!checked_) {
        auto opened = std::make_unique<OpenedDevice>();
        ch_device_options options = options_->raw();
        options.checked = 1;
        CH_TRY(opened->open(options, out_error));
        checked_ = std::move(opened);
    }
    *out_device = checked_.get();
    return CH_OK;
}

// The device knows kernels by their numbers; people know them by their files.
static void say_which_kernel(const ch_callable& callable, ch_error* out_error) {
    if (out_error->func_id < 0 || strcmp(out_error->where, "device") != 0) return;
    for (uint32_t i = 0; i < callable.kernel_count; ++i) {
        const ch_kernel& kernel = callable.kernels[i];
        if (kernel.func_id != static_cast<uint32_t>(out_error->func_id) || !kernel.binary.name) continue;
        copy_text(out_error->where, sizeof out_error->where, kernel.binary.name);
    }
}

Status HostContext::run(const ch_run_request& request, ch_error* out_error) {
    const uint64_t start = ch_monotonic_ns();
    set_phase(request, CH_PHASE_PREPARE);
    if (request.callable->format != CH_CALLABLE_FORMAT) {
        return report(out_error, CH_ABI_MISMATCH, "callable", "wanted format %d, found %u", CH_CALLABLE_FORMAT,
                      request.callable->format);
    }
    const ch_call_config config = with_defaults(*request.config);
    CH_TRY(check_config(config, out_error));
    if (request.exploration) CH_TRY(check_exploration(*request.exploration, config, explores_, out_error));
    OpenedDevice* device = nullptr;
    CH_TRY(device_for(config, &device, out_error));
    check_report_.clear();
    stall_report_.clear();
    const platform::LaunchOptions options{0,
                                          config.block_dim,
                                          config.aicpu_thread_num,
                                          config.sim_threads,
                                          config.seed,
                                          request.progress,
                                          config.trace ? &trace_ : nullptr,
                                          config.check,
                                          config.check ? &check_report_ : nullptr,
                                          &stall_report_};
    // First of all: what an earlier launch has been given belongs to it for as long as its programs may run.
    CH_TRY(platform::check_launch(device->device, options, out_error));
    LoadedCallable* callable = nullptr;
    CH_TRY(device->callables->get(*request.callable, &callable, out_error));
    const Status failed = request.exploration ? explore(request, config, options, *device, *callable, out_error)
                                              : run_once(request, config, options, *device, *callable, out_error);
    if (!check_report_.empty()) {
        request.out_result->check_report = check_report_.c_str();
        request.out_result->check_report_bytes = check_report_.size();
    }
    if (!stall_report_.empty()) {
        request.out_result->stall_report = stall_report_.c_str();
        request.out_result->stall_report_bytes = stall_report_.size();
    }
    set_phase(request, CH_PHASE_IDLE);
    request.out_result->total_ns = ch_monotonic_ns() - start;
    return failed;
}

Status HostContext::run_once(const ch_run_request& request, const ch_call_config& config,
                             const platform::LaunchOptions& options, OpenedDevice& device, LoadedCallable& callable,
                             ch_error* out_error) {
    Status failed;
    try {
        failed = execute(request, config, options, device, callable, out_error);
    } catch (...) {
        device.runtime->end_run();
        throw;
    }
    device.runtime->end_run();  // not in a destructor: a runtime may throw here, too
    if (!failed.ok()) say_which_kernel(*request.callable, out_error);
    return failed;
}

// Runs the schedules of an exploration until one is not as the first, or enough were run.
Status HostContext::explore(const ch_run_request& request, const ch_call_config& config,
                            platform::LaunchOptions options, OpenedDevice& device, LoadedCallable& callable,
                            ch_error* out_error) {
    ch_exploration& exploration = *request.exploration;
    exploration.processors = config.block_dim * 3 + config.aicpu_thread_num;
    options.exploration = &exploration;
    const auto run = [&](uint64_t schedule) {
        options.schedule = schedule;
        if (!hold_arrays(request.progress)) {
            return Status(report(out_error, CH_DEADLINE_EXCEEDED, "exploration", "the caller has given up"));
        }
        reference_.restore(*request.args);
        release_arrays(request.progress);
        const Status failed = run_once(request, config, options, device, callable, out_error);
        if (!failed.ok()) exploration.outcome = CH_EXPLORED_FAILED;
        return failed;
    };
    if (exploration.accepts) reference_.accept(*request.args);
    if (!exploration.goes_on) {
        reference_.begin(*request.args);
        schedule_ = exploration.schedules = 0;
        explores_ = true;
        CH_TRY(run(0));
        if (exploration.schedules == 0) {
            return report(out_error, CH_UNIMPLEMENTED, "exploration", "the platform %s does not explore",
                          platform::platform_name);
        }
        reference_.accept(*request.args);
        explored_all_ = exploration.outcome == CH_EXPLORED_ALL;
    }
    const uint64_t start = ch_monotonic_ns();
    const bool replays = exploration.strategy == CH_STRATEGY_REPLAY;
    if (explored_all_ && !replays) {
        exploration.outcome = CH_EXPLORED_ALL;
        return CH_OK;
    }
    for (uint64_t done = 0; done < exploration.schedules_max; ++done) {
        if (exploration.time_max_ns != 0 && ch_monotonic_ns() - start >= exploration.time_max_ns) break;
        if (__atomic_load_n(&request.progress->cancel, __ATOMIC_RELAXED)) {
            return report(out_error, CH_DEADLINE_EXCEEDED, "exploration", "stopped on request after %llu schedules",
                          static_cast<unsigned long long>(exploration.schedules));
        }
        CH_TRY(run(replays ? 1 : ++schedule_));
        const bool over = exploration.outcome == CH_EXPLORED_ALL;
        if (!replays) explored_all_ = over;
        if (!reference_.matches(*request.args)) exploration.outcome = CH_EXPLORED_DIFFERS;
        if (over || exploration.outcome == CH_EXPLORED_DIFFERS) return CH_OK;
    }
    exploration.outcome = CH_EXPLORED_BUDGET;
    return CH_OK;
}

Status HostContext::execute(const ch_run_request& request, const ch_call_config& config,
                            platform::LaunchOptions options, OpenedDevice& device, LoadedCallable& callable,
                            ch_error* out_error) {
    bool wants_to_locate = false;
    options.out_wants_to_locate = &wants_to_locate;
    BuiltGraph graph;
    CH_TRY(build(request, config, device, callable, &graph, out_error));
    CH_TRY(launch(request, config, options, device, callable, graph, out_error));
    if (wants_to_locate && hold_arrays(request.progress)) {
        // The same again. Nothing has been written to the arrays yet, and the platform begins with its memory as
        // before.
        device.runtime->end_run();
        Status failed = platform::check_launch(device.device, options, out_error);
        if (failed.ok()) failed = build(request, config, device, callable, &graph, out_error);
        release_arrays(request.progress);
        CH_TRY(failed);
        options.locates = true;
        CH_TRY(launch(request, config, options, device, callable, graph, out_error));
    }

    set_phase(request, CH_PHASE_COPY_OUT);
    if (!claim_arrays(request.progress)) {
        return report(out_error, CH_DEADLINE_EXCEEDED, "run", "finished after the caller had given up");
    }
    return device.runtime->copy_out(out_error);
}

Status HostContext::build(const ch_run_request& request, const ch_call_config& config, OpenedDevice& device,
                          LoadedCallable& callable, BuiltGraph* out_graph, ch_error* out_error) {
    ch_run_result& result = *request.out_result;
    const uint64_t start = ch_monotonic_ns();
    set_phase(request, CH_PHASE_ORCHESTRATION);
    *out_graph = {};
    const RunInput input{callable.orchestration(), callable.kernels(),  *request.args, config,
                         *request.progress,        device_memory_bytes_};
    const Status built = device.runtime->build(input, out_graph, out_error);
    result.failed_submission = out_graph->failed_submission;
    CH_TRY(built);
    result.task_count = out_graph->task_count;
    result.orchestration_ns = ch_monotonic_ns() - start;
    return CH_OK;
}

Status HostContext::launch(const ch_run_request& request, const ch_call_config& config, platform::LaunchOptions options,
                           OpenedDevice& device, LoadedCallable& callable, const BuiltGraph& graph,
                           ch_error* out_error) {
    ch_run_result& result = *request.out_result;
    set_phase(request, CH_PHASE_DEVICE);
    const LaunchArea::Setup setup{config.block_dim,          config.aicpu_thread_num,
                                  callable.kernels().size(), callable.kernel_addresses(),
                                  callable.kernel_names(),   graph.image,
                                  callable.hands_over()};
    options.argument_copies = &graph.argument_copies;
    CH_TRY(device.launch_area->prepare(setup, &options.launch, out_error));
    trace_.clear();
    const uint64_t device_start = ch_monotonic_ns();
    const Status launched = platform::launch(device.device, options, out_error);
    result.device_ns = ch_monotonic_ns() - device_start;
    // A fault that the device itself reports is nearer to the cause than how the launch ended; that it cannot be read
    // is not.
    ch_launch_status status;
    ch_error read_error = no_error();
    const Status read = device.launch_area->read_status(&status, &read_error);
    if (read.ok()) {
        result.task_count = status.tasks_done;
        result.failed_submission = status.submission;
        if (status.error.code != CH_OK) return LaunchArea::fault_in(status, out_error);
    }
    CH_TRY(launched);
    if (config.check && check_report_.empty()) {
        return report(out_error, CH_UNIMPLEMENTED, "check", "wanted 0: %s has no checks", platform::platform_name);
    }
    if (!read.ok()) {
        *out_error = read_error;
        return read;
    }
    result.trace = trace_.data();
    result.trace_count = trace_.size();
    return CH_OK;
}

}  // namespace chiphost::host
