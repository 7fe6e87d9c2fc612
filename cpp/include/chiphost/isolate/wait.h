// SPDX-License-Identifier: Apache-2.0
//
// The time that a call waits, and the function that may end the wait.
//
// Threads: any.
// Errors: none.
#pragma once

#include <chrono>
#include <functional>

namespace chiphost::isolate {

// The time that something may take.
using Timeout = std::chrono::nanoseconds;
constexpr Timeout no_timeout = Timeout::max();  // as long as it wants

// A function that is called every 50 ms while a call waits, on the caller's thread and without a lock. If it returns
// false, the call gives up with CH_INTERRUPTED.
using GoOn = std::function<bool()>;

// The limits of a call's wait.
struct Wait {
    Timeout timeout = no_timeout;  // of the whole call, with the time that it waits for calls of other threads
    GoOn go_on = {};               // none: nobody is asked
};

}  // namespace chiphost::isolate
