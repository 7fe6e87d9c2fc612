// SPDX-License-Identifier: Apache-2.0
//
// A worker: one device context in one host runtime, in this process or in a child.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "device_context.h"
#include "isolate/handle_state.h"
#include "os/mutex.h"
#include "run_place.h"
#include "runtime_library.h"
#include "status/status.h"

namespace chiphost::worker {

// Thread-safe: calls from several threads are made one after the other. Any number of workers may share a runtime; they
// run at the same time and know nothing of each other.
//
//   created --initialize--> ready --reset--> created --finalize--> finalized
//
// A worker belongs to the process it was made in. In a child made by fork() every call says so, whatever other threads
// were doing at the fork; finalize() does nothing there.
//
// A run that never returns poisons the worker: its thread, its context and the caller's arrays are left to it for the
// rest of the process's life, and only finalize() is possible. A child is ended instead, and the next run gets another,
// as it does after a crash. What a kernel or an orchestration keeps in variables of its own is lost with a child.
class ChipWorker {
public:
    struct Options : DeviceOptions {
        RuntimeFiles files;
        std::string platform;  // that the files must be for; empty: any
        std::string anchor_path;
        std::string child_path;  // the program chiphost_child, for Strategy::process
        Isolation isolation;
    };

    enum class RunEnd {
        returned,  // the run has ended: nothing of the caller's is in use any more
        abandoned  // the run still goes on: callable, arguments and arrays must be kept for ever
    };

    ChipWorker();
    ~ChipWorker();
    ChipWorker(const ChipWorker&) = delete;
    ChipWorker& operator=(const ChipWorker&) = delete;

    // A call that waits for another thread's call asks go_on meanwhile. If that is false, the call ends with
    // CH_INTERRUPTED and has done nothing.

    // Loads the runtime and opens the device. CH_ALREADY_INITIALIZED, CH_FINALIZED, or why loading failed.
    Status initialize(const Options& options, ch_error* out_error, const isolate::GoOn& go_on = {});

    // Executes one run. out_trace is filled if config.trace is set, out_reports (may be null) also after a run that
    // failed; then out_result has what is about such runs. If wait.go_on says false while the run goes on, it is asked
    // to stop, as cancel() does.
    //
    // exploration: nullptr for one run; otherwise what to explore, which gets what was found, also after an error.
    // CH_UNIMPLEMENTED where the runtime is in a child, or on a real chip.
    Status run(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
               const isolate::Wait& wait, ch_run_result* out_result, std::vector<ch_trace_event>* out_trace,
               RunEnd* out_end, ch_error* out_error, RunReports* out_reports = nullptr,
               Exploration* exploration = nullptr);

    // Closes the device and destroys the context. Does nothing on a worker that is not initialized.
    Status reset(ch_error* out_error, const isolate::GoOn& go_on = {});

    // Does what reset() does, and for good. Fails only if go_on says so.
    Status finalize(ch_error* out_error, const isolate::GoOn& go_on);
    void finalize();

    // Asks the run that is under way, if any, to stop: it then ends with CH_INTERRUPTED. Does not wait for that.
    void cancel();

    // These wait for nothing, also while a run is under way.
    bool initialized() const { return info() != nullptr; }
    // True if the worker was made before a fork: in this process it cannot be used.
    bool inherited() const { return state_.inherited(); }
    bool fell_back() const { return info() && fell_back_.load(); }  // for want of namespaces
    bool poisoned() const { return state_.poisoned(); }
    int32_t device_id() const { return device_id_.load(); }   // -1 without a runtime
    const RuntimeInfo* info() const { return info_.load(); }  // nullptr without a runtime
    // The runtime's library; nullptr without one in this process.
    std::shared_ptr<const RuntimeLibrary> library() const { return std::atomic_load(&library_); }
    // The child that the runtime lives in; -1 if there is none, as after a crash until the next run.
    pid_t process_id() const { return process_id_.load(); }

    // Threads and libraries of the place where the runtime lives; zeros without one. Waits for a run in a child.
    Status count(ch_anchor_counts* out_counts, ch_error* out_error, const isolate::GoOn& go_on = {});

private:
    // The end of a wait for a run.
    struct Waited {
        bool cancelled = false;    // this call asked it to stop,
        bool interrupted = false;  // because go_on or cancel() said so, not the deadline
        Context::GaveUp end = Context::GaveUp::ended;
        std::vector<RunPlace> places;  // where it was then, unless it ended
    };

    Status open(const Options& options, const isolate::GoOn& go_on, ch_error* out_error) CH_REQUIRES(state_);
    Status close(ch_error* out_error) CH_REQUIRES(state_);
    void forget_context() CH_REQUIRES(state_);
    void abandon_to_parent();
    void set_running(ch_run_progress* progress);
    Waited await(const ch_callable& callable, const isolate::WaitTime& time) CH_REQUIRES(state_);
    void give_up(const ch_callable& callable, Waited* out_waited) CH_REQUIRES(state_);
    Status finish(const Waited& waited, const isolate::WaitTime& time, ch_run_result* out_result,
                  std::vector<ch_trace_event>* out_trace, RunReports* out_reports, ch_error* out_error)
        CH_REQUIRES(state_);
    static Status describe_stop(const Waited& waited, bool cancelled, const isolate::WaitTime& time,
                                ch_error* out_error);
    static Status describe_hang(const Waited& waited, const isolate::WaitTime& time, std::string* out_why,
                                ch_run_result* out_result, RunReports* out_reports, ch_error* out_error);

    isolate::HandleState state_;  // every call has its turn, which guards all that is no atomic
    std::unique_ptr<Context> context_ CH_GUARDED_BY(state_);
    std::atomic<const RuntimeInfo*> info_{nullptr};
    std::shared_ptr<const RuntimeLibrary> library_;  // accessed with std::atomic_load and atomic_store
    std::atomic<pid_t> process_id_{-1};
    std::atomic<int32_t> device_id_{-1};
    std::atomic<bool> fell_back_{false};

    os::Mutex cancel_mutex_;
    ch_run_progress* running_ CH_GUARDED_BY(cancel_mutex_) = nullptr;  // of the run under way
};

}  // namespace chiphost::worker
