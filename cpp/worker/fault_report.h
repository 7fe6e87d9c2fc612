// SPDX-License-Identifier: Apache-2.0
//
// Reports which kernel or orchestration has crashed, and where, on stderr or to the text that the run names: on
// SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS and SIGABRT. The process then dies, or does whatever else it would have done:
// the handler that was there before gets the signal next, so core dumps, Python's faulthandler and sanitizers work as
// ever.
//
// The same handlers answer where a thread is that does not return.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "chiphost/abi/callable.h"
#include "chiphost/abi/host_runtime.h"
#include "isolate/child/code_samples.h"
#include "isolate/child/fault_text.h"

namespace chiphost::worker {

// While at least one of these lives, the handlers are installed. When the last one goes they are taken away, unless
// somebody has installed another handler since, which may call ours. For any thread; not for signal handlers.
class FaultHandlers {
public:
    FaultHandlers();
    ~FaultHandlers();
    FaultHandlers(const FaultHandlers&) = delete;
    FaultHandlers& operator=(const FaultHandlers&) = delete;

private:
    const pid_t process_;  // that made it
};

// A run that the handlers know of. Costs some atomic operations, no system call. Beyond 256 runs at the same time in
// one process, the rest is not known.
class WatchedRun {
public:
    WatchedRun() = default;
    ~WatchedRun() { end(); }
    WatchedRun(const WatchedRun&) = delete;
    WatchedRun& operator=(const WatchedRun&) = delete;

    // `thread` is the system's number of the thread that runs it; threads that help are in the progress. Both records
    // are borrowed until end(), and so are `code`, for answers to ask_for_code, and `text`: where a report goes instead
    // of stderr. Both may be null.
    void begin(const ch_callable& callable, const ch_run_progress& progress, int32_t thread,
               isolate::CodeSamples* code = nullptr, isolate::FaultText* text = nullptr);

    // Returns when no handler reads the records any more.
    void end();

private:
    int32_t slot_ = -1;
};

// Asks the threads of a watched run where they are in its programs, and waits a second for the answers at most. A
// thread that blocks the signal, SIGSYS, does not answer, and nobody does if somebody else has a handler for it here.
// A system call in which the thread is may end with EINTR.
//
// process: that of the run: this one or a child.
// progress: of the run; it has the number of every thread, that of the first lane too.
// out_code: those that the run is watched with.
void ask_for_code(pid_t process, const ch_run_progress& progress, isolate::CodeSamples* out_code);

}  // namespace chiphost::worker
