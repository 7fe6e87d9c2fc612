// SPDX-License-Identifier: Apache-2.0
//
// Reports which kernel or orchestration has crashed, and where, on stderr or to the text that the run names: on
// SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT. The process then dies, or does whatever else it would have done: the
// handler that was there before gets the signal next, so core dumps, Python's faulthandler and sanitizers work as ever.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "chiphost/abi/callable.h"
#include "chiphost/abi/host_runtime.h"
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
    // are borrowed until end(), and so is `text`: where a report goes instead of stderr, if not null.
    void begin(const ch_callable& callable, const ch_run_progress& progress, int32_t thread,
               isolate::FaultText* text = nullptr);

    // Returns when no handler reads the records any more.
    void end();

private:
    int32_t slot_ = -1;
};

}  // namespace chiphost::worker
