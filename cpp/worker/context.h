// SPDX-License-Identifier: Apache-2.0
//
// The place where a worker's device context lives, and the way that runs take to it: in this process (local_context.h)
// or in a child (child_context.h).
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "chiphost/abi/anchor.h"
#include "chiphost/abi/host_runtime.h"
#include "chiphost/isolate/wait.h"
#include "exploration.h"
#include "isolate/child/code_samples.h"
#include "runtime_info.h"
#include "status/status.h"

namespace chiphost::worker {

class RuntimeLibrary;

// Texts of a run, also of one that failed: those of ch_run_result; empty if there is none.
struct RunReports {
    std::string check;
    std::string stall;
};

// Used by one thread at a time, but for what is said of progress(). A run is prepare, post, wait until that says true,
// finish; or give_up instead of the last. Destroying a context that was not closed leaves it behind as it is.
class Context {
public:
    virtual ~Context() = default;

    // Takes in what is to be run. What the arguments refer to must live until the run has ended.
    virtual Status prepare(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
                           const isolate::GoOn& go_on, ch_error* out_error) = 0;

    // The next run to be prepared is this exploration; nullptr: a run. Borrowed until finish(), which fills it, also if
    // the run failed. CH_UNIMPLEMENTED where there is none.
    virtual Status explore(Exploration* exploration, ch_error* out_error);

    // The progress of the run prepared last. Valid until the next is prepared; any thread may set `cancel`.
    virtual ch_run_progress& progress() = 0;

    virtual void post() = 0;

    // True: the run has ended. False: timeout_ns have passed.
    virtual bool wait(uint64_t timeout_ns) = 0;

    // Processor time that the run's thread has had, in ns. To be asked before wants_processor().
    virtual uint64_t processor_ns() const { return 0; }
    // True if the thread would go on at once if the machine let it: it neither sleeps nor waits.
    virtual bool wants_processor() const { return false; }

    // Asks the threads of a run that does not stop where they are in its programs.
    virtual void ask_for_code(isolate::CodeSamples* out_code) = 0;

    // Makes the result of the run. out_trace and out_reports may be null; the report is there after a run that
    // failed, too.
    virtual Status finish(ch_run_result* out_result, std::vector<ch_trace_event>* out_trace, RunReports* out_reports,
                          ch_error* out_error) = 0;

    enum class GaveUp {
        ended,     // it ended after all: finish() tells
        stopped,   // by force; the context is as good as new
        abandoned  // it goes on and may use the callable and the arguments for ever, but no more the arrays
    };
    // Gives up a run that was asked to stop and does not.
    virtual GaveUp give_up() = 0;

    // Destroys the context, also if that fails.
    virtual Status close(ch_error* out_error) = 0;

    // Threads and libraries of the place.
    virtual Status count(ch_anchor_counts* out_counts, ch_error* out_error) = 0;

    virtual const RuntimeInfo& info() const = 0;
    virtual std::shared_ptr<RuntimeLibrary> library() const { return nullptr; }  // if it is in this process
    virtual pid_t process_id() const { return -1; }                              // of the child, -1 if there is none

    Context* next_left = nullptr;  // see leave_behind.h
};

}  // namespace chiphost::worker
