// SPDX-License-Identifier: Apache-2.0
//
// How long a call waits, and how it asks whether to go on waiting.
#pragma once

#include <chrono>
#include <functional>

namespace chiphost::isolate {

using Timeout = std::chrono::nanoseconds;
constexpr Timeout no_timeout = Timeout::max();

// Called every 50 ms while a call waits, without a lock. False: it gives up with CH_INTERRUPTED.
using GoOn = std::function<bool()>;

struct Wait {
    Timeout timeout = no_timeout;  // of all of the call, also of what it waits for calls of other threads
    GoOn go_on = {};               // empty: for ever
};

}  // namespace chiphost::isolate
