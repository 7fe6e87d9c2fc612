// SPDX-License-Identifier: Apache-2.0
//
// A worker: one device context in one host runtime, in this process or in a child.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "context.h"
#include "isolate/turn.h"
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
// rest of the process's life, and only finalize() is possible. Not so with a child: that is ended, and the next run
// gets another; the same after a crash. What a kernel or an orchestration keeps in variables of its own is lost with a
// child.
class ChipWorker {
public:
    struct Options {
        RuntimeFiles files;
        std::string platform;  // that the files must be for; empty: any
        std::string anchor_path;
        std::string child_path;  // the program chiphost_child, for Strategy::process
        Isolation isolation;
        int32_t device_id = 0;
        uint64_t device_memory_bytes = 0;  // 0: what the chip has
        uint64_t stack_bytes = 0;          // of the threads that run its code, at least; 0: as usual (os/stack_size.h)
    };

    // Called every 50 ms while a call waits for another thread's, without a lock. False: the call gives up with
    // CH_INTERRUPTED, and has done nothing.
    using GoOn = worker::GoOn;

    struct Wait {
        uint64_t timeout_ns = CH_MAILBOX_FOR_EVER;  // of all of the call: also of what it waits for other calls
        GoOn go_on;  // also while the run goes on; false asks the run to stop then, as cancel() does
    };

    enum class RunEnd {
        returned,  // the run has ended: nothing of the caller's is in use any more
        abandoned  // the run still goes on: callable, arguments and arrays must be kept for ever
    };

    ChipWorker();
    ~ChipWorker();
    ChipWorker(const ChipWorker&) = delete;
    ChipWorker& operator=(const ChipWorker&) = delete;

    // Loads the runtime and opens the device. CH_ALREADY_INITIALIZED, CH_FINALIZED, or why loading failed.
    Status initialize(const Options& options, ch_error* out_error, const GoOn& go_on = {});

    // Executes one run. out_trace is filled if config.trace is set.
    Status run(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config, const Wait& wait,
               ch_run_result* out_result, std::vector<ch_trace_event>* out_trace, RunEnd* out_end, ch_error* out_error);

    // Closes the device and destroys the context. Does nothing on a worker that is not initialized.
    Status reset(ch_error* out_error, const GoOn& go_on = {});

    // The same, and for good. Fails only if go_on says so.
    Status finalize(ch_error* out_error, const GoOn& go_on);
    void finalize();

    // Asks the run that is under way, if any, to stop: it then ends with CH_INTERRUPTED. Does not wait for that.
    void cancel();

    // These wait for nothing, also while a run is under way.
    bool initialized() const { return info() != nullptr; }
    bool inherited() const;  // made before a fork: in this process the worker cannot be used
    bool fell_back() const { return info() && fell_back_.load(); }  // for want of namespaces
    bool poisoned() const { return poisoned_.load(); }
    int32_t device_id() const { return device_id_.load(); }   // -1 without a runtime
    const RuntimeInfo* info() const { return info_.load(); }  // nullptr without a runtime
    // nullptr without one in this process.
    std::shared_ptr<const RuntimeLibrary> library() const { return std::atomic_load(&library_); }
    // Of the child the runtime lives in; -1 if there is none, as after a crash until the next run.
    pid_t process_id() const { return process_id_.load(); }

    // Threads and libraries of the place where the runtime lives; zeros without one. Waits for a run in a child.
    Status count(ch_anchor_counts* out_counts, ch_error* out_error, const GoOn& go_on = {});

private:
    using Turn = isolate::Turn;

    // How a wait for a run went.
    struct Waited {
        bool cancelled = false;    // this call asked it to stop,
        bool interrupted = false;  // because go_on or cancel() said so, not the deadline
        Context::GaveUp end = Context::GaveUp::ended;
    };

    Status check_process(ch_error* out_error) const;
    Status check_usable(ch_error* out_error) const;
    Status take_turn(const Wait& wait, std::unique_lock<Turn>* out_turn, ch_error* out_error);
    Status open(const Options& options, const GoOn& go_on, ch_error* out_error);
    Status close(ch_error* out_error);
    void forget_context();
    Waited await(const Wait& wait, uint64_t start_ns);
    Status describe_stop(const Waited& waited, bool cancelled, uint64_t timeout_ns, ch_error* out_error) const;
    Status describe_hang(const Waited& waited, const ch_callable& callable, uint64_t timeout_ns,
                         ch_error* out_error) const;

    const pid_t process_;
    Turn turn_;  // held by every call; guards all below, atomics may be read without it
    std::unique_ptr<Context> context_;
    std::atomic<const RuntimeInfo*> info_{nullptr};
    std::shared_ptr<const RuntimeLibrary> library_;  // accessed with std::atomic_load and atomic_store
    std::atomic<pid_t> process_id_{-1};
    std::atomic<int32_t> device_id_{-1};
    std::atomic<bool> fell_back_{false};
    bool finalized_ = false;
    std::atomic<bool> poisoned_{false};
    std::string poison_;  // why; empty for want of memory

    std::mutex cancel_mutex_;             // guards running_
    ch_run_progress* running_ = nullptr;  // of the run under way
};

}  // namespace chiphost::worker
