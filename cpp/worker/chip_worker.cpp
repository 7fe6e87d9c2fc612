// SPDX-License-Identifier: Apache-2.0
#include "chip_worker.h"

#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "child_context.h"
#include "loader/loader_refusal.h"
#include "local_context.h"
#include "run_place.h"
#include "status/report.h"

namespace chiphost::worker {

namespace {

constexpr uint64_t poll_ns = 50'000'000;
// How long a run that was asked to stop may take to do so. A kernel that is still running after that counts as hung.
constexpr uint64_t grace_ns = 500'000'000;
// The same, if the machine is so busy that the run has not had that much of a processor.
constexpr uint64_t grace_starved_ns = 10 * grace_ns;

// For want of memory a call fails like for any other reason.
template <typename Body>
Status guarded(const char* where, ch_error* out_error, Body&& body) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, where, "out of memory");
    } catch (const std::exception& error) {
        return report(out_error, CH_INTERNAL, where, "%s", error.what());
    }
}

}  // namespace

ChipWorker::ChipWorker() : process_(getpid()) {}

ChipWorker::~ChipWorker() {
    finalize();
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
Status ChipWorker::check_process(ch_error* out_error) const {
    if (!inherited()) return CH_OK;
    return report(out_error, CH_WRONG_PROCESS, "worker", "the worker was made in process %d, this is %d",
                  static_cast<int>(process_), static_cast<int>(getpid()));
}

Status ChipWorker::check_usable(ch_error* out_error) const {
    if (finalized_) return report(out_error, CH_FINALIZED, "worker", "the worker was finalized");
    if (!poisoned_) return CH_OK;
    return report(out_error, CH_POISONED, "worker", "the worker is poisoned: %s",
                  poison_.empty() ? "a run has never returned" : poison_.c_str());
}

// Waits for the calls of other threads.
Status ChipWorker::take_turn(const Wait& wait, std::unique_lock<Turn>* out_turn, ch_error* out_error) {
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

Status ChipWorker::initialize(const Options& options, ch_error* out_error, const GoOn& go_on) {
    CH_TRY(check_process(out_error));
    std::unique_lock<Turn> turn;
    CH_TRY(take_turn({CH_MAILBOX_FOR_EVER, go_on}, &turn, out_error));
    CH_TRY(check_usable(out_error));
    if (context_) {
        return report(out_error, CH_ALREADY_INITIALIZED, "init", "already initialized; call reset() first");
    }
    if (options.device_id < 0) {
        return report(out_error, CH_INVALID_ARGUMENT, "device_id", "wanted 0 or more, found %d", options.device_id);
    }
    CH_TRY(guarded("init", out_error, [&] { return open(options, go_on, out_error); }));
    std::atomic_store(&library_, std::shared_ptr<const RuntimeLibrary>(context_->library()));
    process_id_ = context_->process_id();
    device_id_ = options.device_id;
    info_ = &context_->info();
    return CH_OK;
}

Status ChipWorker::open(const Options& options, const GoOn& go_on, ch_error* out_error) {
    fell_back_ = false;
    const auto open_child = [&] {
        const ChildContext::Options child{
            options.files,      options.platform, options.child_path, options.device_id, options.device_memory_bytes,
            options.stack_bytes};
        return ChildContext::open(child, go_on, &context_, out_error);
    };
    if (options.isolation.strategy == isolate::Strategy::process) return open_child();
    std::shared_ptr<RuntimeLibrary> library;
    bool fell_back = false;
    const int32_t code = RuntimeLibrary::load(options.files, options.platform, options.isolation, options.anchor_path,
                                              &library, &fell_back, out_error);
    if (loader::is_spent(code) && options.isolation.fall_back_if_spent && !options.child_path.empty()) {
        // Copies would share a symbol, or there is no static TLS for one either. A process of its own has both.
        fell_back_ = true;
        return open_child();
    }
    if (code != CH_OK) return code;
    fell_back_ = fell_back;
    return LocalContext::open(std::move(library), options.device_id, options.device_memory_bytes, options.stack_bytes,
                              go_on, &context_, out_error);
}

Status ChipWorker::run(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
                       const Wait& wait, ch_run_result* out_result, std::vector<ch_trace_event>* out_trace,
                       RunEnd* out_end, ch_error* out_error) {
    const uint64_t start_ns = ch_monotonic_ns();
    *out_end = RunEnd::returned;
    CH_TRY(check_process(out_error));
    std::unique_lock<Turn> turn;
    CH_TRY(take_turn(wait, &turn, out_error));
    CH_TRY(check_usable(out_error));
    if (!context_) return report(out_error, CH_NOT_INITIALIZED, "run", "not initialized; call init() first");

    const int32_t prepared =
        guarded("run", out_error, [&] { return context_->prepare(callable, args, config, wait.go_on, out_error); });
    process_id_ = context_->process_id();
    if (prepared != CH_OK) return prepared;
    const auto set_running = [&](ch_run_progress* progress) {
        const std::lock_guard cancel_lock(cancel_mutex_);
        running_ = progress;
    };
    set_running(&context_->progress());
    context_->post();
    const Waited waited = await(wait, start_ns);
    set_running(nullptr);
    if (waited.end == Context::GaveUp::ended) {
        const bool cancelled = __atomic_load_n(&context_->progress().cancel, __ATOMIC_ACQUIRE) != 0;
        const Status code =
            guarded("run", out_error, [&] { return context_->finish(out_result, out_trace, out_error); });
        process_id_ = context_->process_id();
        return code == CH_DEADLINE_EXCEEDED ? describe_stop(waited, cancelled, wait.timeout_ns, out_error) : code;
    }
    int32_t code =
        guarded("run", out_error, [&] { return describe_hang(waited, callable, wait.timeout_ns, out_error); });
    process_id_ = context_->process_id();
    if (waited.end == Context::GaveUp::abandoned) {
        *out_end = RunEnd::abandoned;
        poisoned_ = true;
        leave_behind(std::move(context_));
        code = guarded("run", out_error, [&] {
            poison_ = out_error->message;
            return code;
        });
    }
    return code;
}

// Waits for the run. At the deadline, or when the caller does not want to go on, asks it to stop; if it does not, gives
// up.
ChipWorker::Waited ChipWorker::await(const Wait& wait, uint64_t start_ns) {
    const bool for_ever = wait.timeout_ns == CH_MAILBOX_FOR_EVER;
    ch_run_progress& progress = context_->progress();
    Waited waited;
    uint64_t cancelled_at = 0;
    uint64_t processor_ns = 0;
    for (;;) {
        const uint64_t elapsed = ch_monotonic_ns() - start_ns;
        uint64_t slice = poll_ns;
        if (waited.cancelled) {
            const uint64_t gone = elapsed - cancelled_at;
            slice = gone < grace_ns ? grace_ns - gone : poll_ns;
        } else if (!for_ever) {
            slice = std::min(slice, elapsed < wait.timeout_ns ? wait.timeout_ns - elapsed : 0);
        }
        if (context_->wait(slice)) return waited;

        const uint64_t now = ch_monotonic_ns() - start_ns;
        if (!waited.cancelled) {
            waited.interrupted =
                (wait.go_on && !wait.go_on()) || __atomic_load_n(&progress.cancel, __ATOMIC_ACQUIRE) != 0;
            if (waited.interrupted || (!for_ever && now >= wait.timeout_ns)) {
                waited.cancelled = true;
                cancelled_at = now;
                processor_ns = context_->processor_ns();
                __atomic_store_n(&progress.cancel, 1, __ATOMIC_RELEASE);
            }
        } else if (now - cancelled_at >= grace_starved_ns ||
                   (now - cancelled_at >= grace_ns &&
                    (context_->processor_ns() - processor_ns >= grace_ns || !context_->wants_processor()))) {
            waited.end = context_->give_up();
            return waited;
        }
    }
}

// Of a run that was asked to stop and did: in the words of the caller.
Status ChipWorker::describe_stop(const Waited& waited, bool cancelled, uint64_t timeout_ns, ch_error* out_error) const {
    if (waited.interrupted || (cancelled && !waited.cancelled)) return out_error->code = CH_INTERRUPTED;
    const ch_error stopped = *out_error;
    report(out_error, CH_DEADLINE_EXCEEDED, stopped.where, "the run did not end within %.3g s; %s",
           static_cast<double>(timeout_ns) * 1e-9, stopped.message);
    out_error->task = stopped.task;
    out_error->core = stopped.core;
    return out_error->code;
}

Status ChipWorker::describe_hang(const Waited& waited, const ch_callable& callable, uint64_t timeout_ns,
                                 ch_error* out_error) const {
    char when[64];
    if (waited.interrupted) {
        snprintf(when, sizeof when, "the run was interrupted");
    } else {
        snprintf(when, sizeof when, "the run did not end within %.3g s", static_cast<double>(timeout_ns) * 1e-9);
    }
    const RunPlace place = RunPlace::of(context_->progress(), callable);
    report(out_error, waited.interrupted ? CH_INTERRUPTED : CH_DEADLINE_EXCEEDED, place.where,
           "%s: %s did not return; %s", when, place.what.c_str(),
           waited.end == Context::GaveUp::abandoned ? "this worker cannot be used again" : "its process was ended");
    place.blame(out_error);
    return out_error->code;
}

void ChipWorker::forget_context() {
    info_ = nullptr;
    std::atomic_store(&library_, std::shared_ptr<const RuntimeLibrary>());
    process_id_ = -1;
    device_id_ = -1;
    context_.reset();
}

Status ChipWorker::close(ch_error* out_error) {
    const int32_t code = guarded("reset", out_error, [&] { return context_->close(out_error); });
    forget_context();
    return code;
}

Status ChipWorker::count(ch_anchor_counts* out_counts, ch_error* out_error, const GoOn& go_on) {
    *out_counts = {};
    CH_TRY(check_process(out_error));
    if (const auto loaded = library()) {
        *out_counts = loaded->domain().counts();
        return CH_OK;
    }
    std::unique_lock<Turn> turn;
    CH_TRY(take_turn({CH_MAILBOX_FOR_EVER, go_on}, &turn, out_error));
    if (!context_) return CH_OK;
    const int32_t code = guarded("counts", out_error, [&] { return context_->count(out_counts, out_error); });
    process_id_ = context_->process_id();
    return code;
}

Status ChipWorker::reset(ch_error* out_error, const GoOn& go_on) {
    CH_TRY(check_process(out_error));
    std::unique_lock<Turn> turn;
    CH_TRY(take_turn({CH_MAILBOX_FOR_EVER, go_on}, &turn, out_error));
    CH_TRY(check_usable(out_error));
    return context_ ? close(out_error) : CH_OK;
}

void ChipWorker::finalize() {
    ch_error none = no_error();
    static_cast<void>(finalize(&none, {}));
}

Status ChipWorker::finalize(ch_error* out_error, const GoOn& go_on) {
    if (inherited()) {
        // What it has belongs to the parent: its threads are not here, its child works for it.
        static_cast<void>(context_.release());
        info_ = nullptr;
        std::atomic_store(&library_, std::shared_ptr<const RuntimeLibrary>());
        process_id_ = -1;
        device_id_ = -1;
        return CH_OK;
    }
    std::unique_lock<Turn> turn;
    CH_TRY(take_turn({CH_MAILBOX_FOR_EVER, go_on}, &turn, out_error));
    if (finalized_) return CH_OK;
    finalized_ = true;
    if (context_) {
        ch_error ignored = no_error();
        static_cast<void>(close(&ignored));
    }
    forget_context();
    return CH_OK;
}

}  // namespace chiphost::worker
