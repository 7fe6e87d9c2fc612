// SPDX-License-Identifier: Apache-2.0
#include "chip_worker.h"

#include <stdio.h>

#include <algorithm>
#include <string>
#include <utility>

#include "child_context.h"
#include "isolate/leave_behind.h"
#include "loader/loader_refusal.h"
#include "local_context.h"
#include "run_place.h"
#include "status/guarded.h"
#include "status/report.h"

namespace chiphost::worker {

using isolate::TurnLock;
using isolate::Wait;
using isolate::WaitTime;

namespace {

// The time that a run may take to stop after it was asked to. A kernel that is still running after that counts as hung.
constexpr uint64_t grace_ns = 500'000'000;
// The time if the machine is so busy that the run has not had that much of a processor.
constexpr uint64_t grace_starved_ns = 10 * grace_ns;

constexpr isolate::HandleState::Words worker_words{
    "worker",
    "made",
    "finalized",
    "run",
    "interrupted while a call of another thread had the worker; nothing has been done",
    "the worker is poisoned: ",
    "a run has never returned"};

}  // namespace

ChipWorker::ChipWorker() : state_(worker_words, "worker") {}

ChipWorker::~ChipWorker() {
    finalize();
}

void ChipWorker::cancel() {
    if (inherited()) return;
    const os::MutexLock lock(cancel_mutex_);
    if (running_) __atomic_store_n(&running_->cancel, 1, __ATOMIC_RELEASE);
}

Status ChipWorker::initialize(const Options& options, ch_error* out_error, const isolate::GoOn& go_on) {
    const Wait wait{isolate::no_timeout, go_on};
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    if (context_) {
        return report(out_error, CH_ALREADY_INITIALIZED, "init", "already initialized; call reset() first");
    }
    if (options.device_id < 0) {
        return report(out_error, CH_INVALID_ARGUMENT, "device_id", "wanted 0 or more, found %d", options.device_id);
    }
    CH_TRY(guarded("init", out_error, [&]() CH_REQUIRES(state_) { return open(options, go_on, out_error); }));
    std::atomic_store(&library_, std::shared_ptr<const RuntimeLibrary>(context_->library()));
    process_id_ = context_->process_id();
    device_id_ = options.device_id;
    info_ = &context_->info();
    return CH_OK;
}

Status ChipWorker::open(const Options& options, const isolate::GoOn& go_on, ch_error* out_error) {
    fell_back_ = false;
    const auto open_child = [&]() CH_REQUIRES(state_) {
        const ChildContext::Options child{options.files, options.platform, options.child_path, options};
        return ChildContext::open(child, go_on, &context_, out_error);
    };
    if (options.isolation.strategy == isolate::Strategy::process) return open_child();
    std::shared_ptr<RuntimeLibrary> library;
    bool fell_back = false;
    const Status loaded = RuntimeLibrary::load(options.files, options.platform, options.isolation, options.anchor_path,
                                               &library, &fell_back, out_error);
    if (loader::is_spent(loaded) && options.isolation.fall_back_if_spent && !options.child_path.empty()) {
        // Copies would share a symbol, or there is no static TLS for one either. A process of its own has both.
        fell_back_ = true;
        return open_child();
    }
    CH_TRY(loaded);
    fell_back_ = fell_back;
    return LocalContext::open(std::move(library), options, go_on, &context_, out_error);
}

Status ChipWorker::run(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
                       const Wait& wait, ch_run_result* out_result, std::vector<ch_trace_event>* out_trace,
                       RunEnd* out_end, ch_error* out_error, RunReports* out_reports, Exploration* exploration) {
    const WaitTime time(wait);
    *out_end = RunEnd::returned;
    out_result->failed_submission = -1;
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    if (!context_) return report(out_error, CH_NOT_INITIALIZED, "run", "not initialized; call init() first");

    const Status prepared = guarded("run", out_error, [&]() CH_REQUIRES(state_) -> Status {
        CH_TRY(context_->explore(exploration, out_error));
        return context_->prepare(callable, args, config, wait.go_on, out_error);
    });
    process_id_ = context_->process_id();
    CH_TRY(prepared);
    set_running(&context_->progress());
    context_->post();
    const Waited waited = await(callable, time);
    set_running(nullptr);
    if (waited.end == Context::GaveUp::ended) {
        return finish(waited, time, out_result, out_trace, out_reports, out_error);
    }
    std::string why;
    const Status failed = guarded(
        "run", out_error, [&] { return describe_hang(waited, time, &why, out_result, out_reports, out_error); });
    process_id_ = context_->process_id();
    if (waited.end == Context::GaveUp::abandoned) {
        *out_end = RunEnd::abandoned;
        isolate::leave_behind(std::move(context_));
        state_.poison([&] { return why; });
    }
    return failed;
}

void ChipWorker::set_running(ch_run_progress* progress) {
    const os::MutexLock lock(cancel_mutex_);
    running_ = progress;
}

// Waits for the run. At the deadline, or when the caller does not want to go on, asks it to stop; if it does not, gives
// up.
ChipWorker::Waited ChipWorker::await(const ch_callable& callable, const WaitTime& time) {
    ch_run_progress& progress = context_->progress();
    Waited waited;
    uint64_t cancelled_at = 0;
    uint64_t processor_ns = 0;
    for (;;) {
        uint64_t slice = std::min(time.next_slice_ns(), WaitTime::poll_ns);  // cancel() wakes nobody
        if (waited.cancelled) {
            const uint64_t gone = ch_monotonic_ns() - cancelled_at;
            slice = gone < grace_ns ? grace_ns - gone : WaitTime::poll_ns;
        }
        if (context_->wait(slice)) return waited;

        const uint64_t now = ch_monotonic_ns();
        if (!waited.cancelled) {
            waited.interrupted = time.interrupted() || __atomic_load_n(&progress.cancel, __ATOMIC_ACQUIRE) != 0;
            if (waited.interrupted || time.is_up()) {
                waited.cancelled = true;
                cancelled_at = now;
                processor_ns = context_->processor_ns();
                __atomic_store_n(&progress.cancel, 1, __ATOMIC_RELEASE);
            }
        } else if (now - cancelled_at >= grace_starved_ns ||
                   (now - cancelled_at >= grace_ns &&
                    (context_->processor_ns() - processor_ns >= grace_ns || !context_->wants_processor()))) {
            give_up(callable, &waited);
            return waited;
        }
    }
}

// Gives the run up, and notes where it was.
void ChipWorker::give_up(const ch_callable& callable, Waited* out_waited) {
    ch_error none = no_error();
    static_cast<void>(guarded("run", &none, [&]() CH_REQUIRES(state_) {
        const auto code = std::make_unique<isolate::CodeSamples>();
        context_->ask_for_code(code.get());
        out_waited->places = RunPlace::all_of(context_->progress(), callable);
        for (RunPlace& place : out_waited->places) place.find_code(*code);
        return Status(CH_OK);
    }));
    out_waited->end = context_->give_up();
}

// Makes the result of a run that has ended.
Status ChipWorker::finish(const Waited& waited, const WaitTime& time, ch_run_result* out_result,
                          std::vector<ch_trace_event>* out_trace, RunReports* out_reports, ch_error* out_error) {
    const bool cancelled = __atomic_load_n(&context_->progress().cancel, __ATOMIC_ACQUIRE) != 0;
    const Status failed = guarded("run", out_error, [&]() CH_REQUIRES(state_) {
        return context_->finish(out_result, out_trace, out_reports, out_error);
    });
    process_id_ = context_->process_id();
    return failed == CH_DEADLINE_EXCEEDED ? describe_stop(waited, cancelled, time, out_error) : failed;
}

// Describes a run that was asked to stop and did, in the words of the caller.
Status ChipWorker::describe_stop(const Waited& waited, bool cancelled, const WaitTime& time, ch_error* out_error) {
    if (waited.interrupted || (cancelled && !waited.cancelled)) return out_error->code = CH_INTERRUPTED;
    const ch_error stopped = *out_error;
    report(out_error, CH_DEADLINE_EXCEEDED, stopped.where, "the run did not end within %.3g s; %s", time.seconds(),
           stopped.message);
    out_error->task = stopped.task;
    out_error->core = stopped.core;
    return out_error->code;
}

// out_why: the same without what only the callable's programs explain.
Status ChipWorker::describe_hang(const Waited& waited, const WaitTime& time, std::string* out_why,
                                 ch_run_result* out_result, RunReports* out_reports, ch_error* out_error) {
    char when[64];
    if (waited.interrupted) {
        snprintf(when, sizeof when, "the run was interrupted");
    } else {
        snprintf(when, sizeof when, "the run did not end within %.3g s", time.seconds());
    }
    const RunPlace unknown{"the run", "the run"};
    const RunPlace& first = waited.places.empty() ? unknown : waited.places.front();
    const char* const then =
        waited.end == Context::GaveUp::abandoned ? "this worker cannot be used again" : "its process was ended";
    *out_why = std::string(when) + ": " + first.what + " did not return; " + then;
    report(out_error, waited.interrupted ? CH_INTERRUPTED : CH_DEADLINE_EXCEEDED, first.where,
           "%s: %s%s did not return; %s", when, first.what.c_str(), first.code.c_str(), then);
    for (size_t i = 1; i < waited.places.size(); ++i) {
        append(out_error, "; %s%s did not return either", waited.places[i].what.c_str(), waited.places[i].code.c_str());
    }
    first.blame(out_error);
    out_result->failed_submission = first.submission;
    if (!out_reports) return out_error->code;
    out_reports->stall = std::string(out_error->message) + "\n";
    for (const RunPlace& place : waited.places) out_reports->stall += place.what + " goes on" + place.code + "\n";
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
    const Status failed = guarded("reset", out_error, [&]() CH_REQUIRES(state_) { return context_->close(out_error); });
    forget_context();
    return failed;
}

Status ChipWorker::count(ch_anchor_counts* out_counts, ch_error* out_error, const isolate::GoOn& go_on) {
    *out_counts = {};
    CH_TRY(state_.check_process(out_error));
    if (const auto loaded = library()) {
        *out_counts = loaded->domain().counts();
        return CH_OK;
    }
    const Wait wait{isolate::no_timeout, go_on};
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.status());
    if (!context_) return CH_OK;
    const Status failed =
        guarded("counts", out_error, [&]() CH_REQUIRES(state_) { return context_->count(out_counts, out_error); });
    process_id_ = context_->process_id();
    return failed;
}

Status ChipWorker::reset(ch_error* out_error, const isolate::GoOn& go_on) {
    const Wait wait{isolate::no_timeout, go_on};
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.usable(out_error));
    return context_ ? close(out_error) : CH_OK;
}

// In a process made by fork(): what the worker has belongs to the parent, its threads are not here, its child works for
// the parent. Nobody else uses the worker here, and its turn may have been taken at the fork.
void ChipWorker::abandon_to_parent() CH_NO_THREAD_SAFETY_ANALYSIS {
    static_cast<void>(context_.release());
    forget_context();
}

void ChipWorker::finalize() {
    ch_error none = no_error();
    static_cast<void>(finalize(&none, {}));  // without go_on it does not fail
}

Status ChipWorker::finalize(ch_error* out_error, const isolate::GoOn& go_on) {
    if (inherited()) {
        abandon_to_parent();
        return CH_OK;
    }
    const Wait wait{isolate::no_timeout, go_on};
    const WaitTime time(wait);
    const TurnLock turn(state_, time, out_error);
    CH_TRY(turn.status());
    if (state_.ended()) return CH_OK;
    state_.end();
    if (context_) {
        ch_error ignored = no_error();
        static_cast<void>(close(&ignored));  // the worker is at its end whatever its device says
    }
    forget_context();
    return CH_OK;
}

}  // namespace chiphost::worker
