// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "chiphost/abi/error.h"

namespace chiphost::orchestrator {

// The orchestrator's view of the scheduler, which is above it. Called by the orchestrator's thread.
class SchedulerInterface {
public:
    // The task of this index waits for nothing and can be started.
    virtual void make_ready(uint32_t task) = 0;
    // True if the run is over, for good or ill: the orchestration is to return.
    virtual bool stopped() const = 0;
    // The run has failed. The first error counts. `submission` is the number of the submission it is about, -1: of
    // none.
    virtual void fail(const ch_error& error, int64_t submission) = 0;
    // Does the other work of the orchestrator's thread, on platforms whose strands cannot pause.
    virtual void work() = 0;

protected:
    ~SchedulerInterface() = default;
};

}  // namespace chiphost::orchestrator
