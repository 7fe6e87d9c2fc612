// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "chiphost/abi/error.h"

namespace chiphost::orchestrator {

// What the orchestrator needs of the scheduler.
class Machine {
public:
    // The task of this index waits for nothing.
    virtual void make_ready(uint32_t task) = 0;
    // Whether the run is over, for good or ill: the orchestration is to return.
    virtual bool stopped() const = 0;
    virtual void fail(const ch_error& error) = 0;
    // Does what else the orchestrator's thread has to do, on platforms whose strands cannot pause.
    virtual void work() = 0;

protected:
    ~Machine() = default;
};

}  // namespace chiphost::orchestrator
