// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace chiphost::bindings {

// Exists as long as a call that gives the GIL away. When Python ends, it unwinds threads that want the GIL back, and
// their C++ frames do not survive that. So the process waits for the calls of other threads before it goes so far.
class CallGuard {
public:
    // Both need the GIL. In the thread that called end_calls, calls go on. Any other thread does not come back from
    // here before the process has ended; if it does not end within some seconds, the constructor raises what end_calls
    // was given.
    CallGuard();
    ~CallGuard();
    CallGuard(const CallGuard&) = delete;
    CallGuard& operator=(const CallGuard&) = delete;

    // True if the process waits for this call to end. Needs no GIL.
    bool to_end() const;

private:
    struct Calls;
    Calls& calls_;  // not asked for again: a signal handler may have forked meanwhile
    friend void end_calls(nanobind::object error);
};

// Refuses the calls of other threads from now on, with `error`, and waits until those under way have ended. Needs the
// GIL, and gives it away meanwhile. Calls that take very long, as loading a library that hangs, are not waited for.
void end_calls(nanobind::object error);

}  // namespace chiphost::bindings
