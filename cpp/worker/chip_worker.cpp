// SPDX-License-Identifier: Apache-2.0
#include "chip_worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "abi/report.h"

namespace chiphost::worker {

namespace {

constexpr uint64_t context_alignment = 64;
constexpr uint64_t poll_ns = 50'000'000;
// How long a run that was asked to stop may take to do so. A kernel that is still running after that counts as hung.
constexpr uint64_t grace_ns = 500'000'000;

// The functions of a table take pointers to their own types; a mailbox takes any.
template <typename Function>
ch_call as_call(Function* function) {
    return reinterpret_cast<ch_call>(function);
}

}  // namespace

struct ChipWorker::Record {
    ch_run_progress progress{};
    ch_run_request request{};
    ch_run_result result{};
    ch_call_config config{};
    ch_error error{};
    bool cancelled = false;
    bool interrupted = false;
};

ChipWorker::ChipWorker() : process_(getpid()) {}

ChipWorker::~ChipWorker() {
    finalize();
}

void ChipWorker::set_library(std::shared_ptr<RuntimeLibrary> library) {
    std::atomic_store(&library_, std::move(library));
}

void ChipWorker::cancel() {
    if (inherited()) return;
    const std::lock_guard lock(cancel_mutex_);
    if (running_) __atomic_store_n(&running_->cancel, 1, __ATOMIC_RELEASE);
}

bool ChipWorker::inherited() const {
    return process_ != getpid();
}

// To be asked before a lock is taken: at the fork another thread may have held it.
int32_t ChipWorker::check_process(ch_error* out_error) const {
    if (!inherited()) return CH_OK;
    return report(out_error, CH_WRONG_PROCESS, "worker", "the worker was made in process %d, this is %d",
                  static_cast<int>(process_), static_cast<int>(getpid()));
}

int32_t ChipWorker::check_usable(ch_error* out_error) const {
    if (finalized_) return report(out_error, CH_FINALIZED, "worker", "the worker was finalized");
    if (!poison_.empty())
        return report(out_error, CH_POISONED, "worker", "the worker is poisoned: %s", poison_.c_str());
    return CH_OK;
}

// Waits for the calls of other threads.
int32_t ChipWorker::take_turn(const Wait& wait, std::unique_lock<Turn>* out_turn, ch_error* out_error) {
    const uint64_t start = ch_monotonic_ns();
    for (uint64_t slice = std::min(poll_ns, wait.timeout_ns); !turn_.lock_for(slice);) {
        if (wait.go_on && !wait.go_on()) {
            return report(out_error, CH_INTERRUPTED, "worker",
                          "interrupted while a call of another thread had the worker; nothing has been done");
        }
        const uint64_t elapsed = ch_monotonic_ns() - start;
        if (elapsed >= wait.timeout_ns) {
            return report(out_error, CH_DEADLINE_EXCEEDED, "worker",
                          "the run did not begin within %.3g s: another thread's run had the worker",
                          static_cast<double>(wait.timeout_ns) * 1e-9);
        }
        slice = std::min(poll_ns, wait.timeout_ns - elapsed);
    }
    *out_turn = std::unique_lock(turn_, std::adopt_lock);
    return CH_OK;
}

// What a verb of the table returned, or CH_INTERNAL if it threw.
int32_t ChipWorker::checked(int32_t code, const char* verb, ch_error* out_error) const {
    if (code != CH_ANCHOR_CALL_THREW) return code;
    return report(out_error, CH_INTERNAL, library()->files().host, "the runtime let an exception out of %s", verb);
}

int32_t ChipWorker::initialize(const Options& options, ch_error* out_error, const GoOn& go_on) {
    if (const int32_t code = check_process(out_error)) return code;
    std::unique_lock<Turn> turn;
    if (const int32_t code = take_turn({CH_MAILBOX_FOR_EVER, go_on}, &turn, out_error)) return code;
    if (const int32_t code = check_usable(out_error)) return code;
    if (context_) {
        return report(out_error, CH_ALREADY_INITIALIZED, "init", "already initialized; call reset() first");
    }
    if (options.device_id < 0) {
        return report(out_error, CH_INVALID_ARGUMENT, "device_id", "wanted 0 or more, found %d", options.device_id);
    }
    std::shared_ptr<RuntimeLibrary> library;
    bool fell_back = false;
    if (const int32_t code = RuntimeLibrary::load(options.files, options.platform, options.isolation,
                                                  options.anchor_path, &library, &fell_back, out_error)) {
        return code;
    }
    isolate::Domain& domain = library->domain();
    uint64_t bytes = 0;
    if (const int32_t code = domain.ask({nullptr, library->table().runtime_size}, library->files().host, "runtime_size",
                                        &bytes, out_error)) {
        library->give_back();
        return code;
    }
    ch_mailbox* thread = nullptr;
    if (const int32_t code = domain.lease_thread(&thread, out_error)) {
        library->give_back();
        return code;
    }
    bytes = (bytes + context_alignment - 1) / context_alignment * context_alignment;
    void* context = aligned_alloc(context_alignment, bytes);
    int32_t code = CH_OK;
    if (!context) {
        code = report(out_error, CH_HOST_MEMORY_EXHAUSTED, "init", "no memory for a context");
    } else {
        ch_device_options device{};
        device.struct_bytes = sizeof device;
        device.device_id = options.device_id;
        device.aicpu = {library->files().aicpu.c_str(), library->aicpu_key().c_str()};
        device.aicore = {library->files().aicore.c_str(), library->aicore_key().c_str()};
        device.device_memory_bytes = options.device_memory_bytes;
        const char* folder = getenv("TMPDIR");
        device.temp_folder = folder && *folder ? folder : "/tmp";
        device.anchor = domain.anchor();
        device.anchor_state = domain.anchor_state();
        fell_back_ = fell_back;
        set_library(library);
        thread_ = thread;
        context_ = context;
        ch_call function = as_call(library->table().set_device);
        code = checked(ch_mailbox_call(thread_, function, context_, &device, out_error), "set_device", out_error);
    }
    if (code != CH_OK) {
        domain.return_thread(thread);
        free(context);
        set_library(nullptr);
        library->give_back();
        thread_ = nullptr;
        context_ = nullptr;
        return code;
    }
    device_id_ = options.device_id;
    if (!record_) record_ = std::make_unique<Record>();
    return CH_OK;
}

int32_t ChipWorker::run(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
                        const Wait& wait, ch_run_result* out_result, std::vector<ch_trace_event>* out_trace,
                        RunEnd* out_end, ch_error* out_error) {
    const uint64_t start_ns = ch_monotonic_ns();
    *out_end = RunEnd::returned;
    if (const int32_t code = check_process(out_error)) return code;
    std::unique_lock<Turn> turn;
    if (const int32_t code = take_turn(wait, &turn, out_error)) return code;
    if (const int32_t code = check_usable(out_error)) return code;
    if (!context_) return report(out_error, CH_NOT_INITIALIZED, "run", "not initialized; call init() first");

    Record& record = *record_;
    record.progress = ch_run_progress{};
    for (auto& lane : record.progress.lanes) lane.task = -1;
    record.result = ch_run_result{};
    record.result.struct_bytes = sizeof record.result;
    record.config = config;
    record.config.struct_bytes = sizeof record.config;
    record.error = no_error();
    record.cancelled = record.interrupted = false;
    record.request = {sizeof record.request, 0, &callable, &args, &record.config, &record.progress, &record.result};
    const auto set_running = [&](ch_run_progress* progress) {
        const std::lock_guard cancel_lock(cancel_mutex_);
        running_ = progress;
    };
    set_running(&record.progress);
    ch_mailbox_post(thread_, as_call(library_->table().run), context_, &record.request, &record.error);

    int32_t code = CH_OK;
    *out_end = await(wait, start_ns, record, &code);
    set_running(nullptr);
    if (*out_end == RunEnd::abandoned) {
        describe_hang(record, record.interrupted, wait.timeout_ns, out_error);
        poison_ = out_error->message;
        poisoned_ = true;
        leave_behind();
        return out_error->code;
    }
    if (code == CH_ANCHOR_CALL_THREW) return checked(code, "run", out_error);
    if (code == CH_OK) {
        *out_result = record.result;
        if (out_trace) out_trace->assign(record.result.trace, record.result.trace + record.result.trace_count);
        out_result->trace = nullptr;
        return CH_OK;
    }
    *out_error = record.error;
    const bool cancelled = __atomic_load_n(&record.progress.cancel, __ATOMIC_ACQUIRE) != 0;
    if (code == CH_DEADLINE_EXCEEDED && (record.interrupted || (cancelled && !record.cancelled))) {
        out_error->code = CH_INTERRUPTED;
    } else if (code == CH_DEADLINE_EXCEEDED) {
        const ch_error stopped = *out_error;
        report(out_error, CH_DEADLINE_EXCEEDED, stopped.where, "the run did not end within %.3g s; %s",
               static_cast<double>(wait.timeout_ns) * 1e-9, stopped.message);
        out_error->task = stopped.task;
        out_error->core = stopped.core;
    }
    return out_error->code;
}

// Waits for the run. At the deadline, or when the caller does not want to go on, asks it to stop; if it does not, takes
// the caller's arrays away from it and gives up.
ChipWorker::RunEnd ChipWorker::await(const Wait& wait, uint64_t start_ns, Record& record, int32_t* out_code) {
    const bool for_ever = wait.timeout_ns == CH_MAILBOX_FOR_EVER;
    uint64_t cancelled_at = 0;
    for (;;) {
        const uint64_t elapsed = ch_monotonic_ns() - start_ns;
        uint64_t slice = poll_ns;
        if (record.cancelled) {
            const uint64_t gone = elapsed - cancelled_at;
            slice = gone < grace_ns ? grace_ns - gone : 0;
        } else if (!for_ever) {
            slice = std::min(slice, elapsed < wait.timeout_ns ? wait.timeout_ns - elapsed : 0);
        }
        if (ch_mailbox_wait(thread_, slice, out_code)) return RunEnd::returned;

        const uint64_t now = ch_monotonic_ns() - start_ns;
        if (!record.cancelled) {
            record.interrupted =
                (wait.go_on && !wait.go_on()) || __atomic_load_n(&record.progress.cancel, __ATOMIC_ACQUIRE) != 0;
            if (record.interrupted || (!for_ever && now >= wait.timeout_ns)) {
                record.cancelled = true;
                cancelled_at = now;
                __atomic_store_n(&record.progress.cancel, 1, __ATOMIC_RELEASE);
            }
        } else if (now - cancelled_at >= grace_ns) {
            uint32_t open = CH_CLAIM_OPEN;
            if (__atomic_compare_exchange_n(&record.progress.claim, &open, CH_CLAIM_ABANDONED, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE)) {
                return RunEnd::abandoned;
            }
            // It is copying results: that ends by itself.
            ch_mailbox_wait(thread_, CH_MAILBOX_FOR_EVER, out_code);
            return RunEnd::returned;
        }
    }
}

// Gives up what the run may still use. It stays reachable, so that leak checkers know it is meant.
void ChipWorker::leave_behind() {
    struct Left {
        Record* record;
        void* context;
        Left* next;
    };
    static std::atomic<Left*> left{nullptr};
    auto* mine = new Left{record_.release(), context_, left.load()};
    while (!left.compare_exchange_weak(mine->next, mine)) {
    }
}

void ChipWorker::describe_hang(const Record& record, bool interrupted, uint64_t timeout_ns, ch_error* out_error) const {
    const ch_run_progress& progress = record.progress;
    const ch_code code = interrupted ? CH_INTERRUPTED : CH_DEADLINE_EXCEEDED;
    char when[64];
    if (interrupted) {
        snprintf(when, sizeof when, "the run was interrupted");
    } else {
        snprintf(when, sizeof when, "the run did not end within %.3g s", static_cast<double>(timeout_ns) * 1e-9);
    }
    const uint32_t phase = __atomic_load_n(&progress.phase, __ATOMIC_ACQUIRE);
    for (const auto& lane : progress.lanes) {
        const int64_t task = __atomic_load_n(&lane.task, __ATOMIC_ACQUIRE);
        if (phase != CH_PHASE_DEVICE || task < 0) continue;
        const int32_t core = __atomic_load_n(&lane.core, __ATOMIC_RELAXED);
        const int32_t func_id = __atomic_load_n(&lane.func_id, __ATOMIC_RELAXED);
        report(out_error, code, "device",
               "%s: kernel %d of task %lld on core %d did not return; this worker cannot be used again", when, func_id,
               static_cast<long long>(task), core);
        out_error->task = task;
        out_error->core = core;
        out_error->func_id = func_id;
        return;
    }
    const bool orchestrating =
        phase == CH_PHASE_ORCHESTRATION || __atomic_load_n(&progress.orchestrating, __ATOMIC_ACQUIRE) != 0;
    const char* what = orchestrating               ? "the orchestration"
                       : phase == CH_PHASE_PREPARE ? "loading the callable"
                                                   : "the device";
    report(out_error, code, what, "%s: %s did not return; this worker cannot be used again", when, what);
}

// Destroys the context and gives the thread back.
int32_t ChipWorker::close(ch_error* out_error) {
    ch_call function = as_call(library_->table().finalize_device);
    const int32_t code =
        checked(ch_mailbox_call(thread_, function, context_, nullptr, out_error), "finalize_device", out_error);
    const std::shared_ptr<RuntimeLibrary> library = library_;
    library->domain().return_thread(thread_);
    free(context_);
    set_library(nullptr);
    thread_ = nullptr;
    context_ = nullptr;
    device_id_ = -1;
    library->give_back();
    return code;
}

int32_t ChipWorker::reset(ch_error* out_error, const GoOn& go_on) {
    if (const int32_t code = check_process(out_error)) return code;
    std::unique_lock<Turn> turn;
    if (const int32_t code = take_turn({CH_MAILBOX_FOR_EVER, go_on}, &turn, out_error)) return code;
    if (const int32_t code = check_usable(out_error)) return code;
    return context_ ? close(out_error) : CH_OK;
}

void ChipWorker::finalize() {
    ch_error none = no_error();
    static_cast<void>(finalize(&none, {}));
}

int32_t ChipWorker::finalize(ch_error* out_error, const GoOn& go_on) {
    if (inherited()) {
        // What it has belongs to the parent's threads; they are not here.
        set_library(nullptr);
        device_id_ = -1;
        return CH_OK;
    }
    std::unique_lock<Turn> turn;
    if (const int32_t code = take_turn({CH_MAILBOX_FOR_EVER, go_on}, &turn, out_error)) return code;
    if (finalized_) return CH_OK;
    finalized_ = true;
    if (!context_) return CH_OK;
    if (!poisoned_) {
        ch_error ignored = no_error();
        static_cast<void>(close(&ignored));
    } else {
        // The run that never returned is still using the context, and the library's code.
        set_library(nullptr);
        thread_ = nullptr;
        context_ = nullptr;
        device_id_ = -1;
    }
    return CH_OK;
}

}  // namespace chiphost::worker
