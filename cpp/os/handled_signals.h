// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>
#include <stdint.h>
#include <string.h>

namespace chiphost::os {

// Takes those signals out of `blocked` that `now` lets through and that have a handler: code that installs a handler
// lets its signal through, and relies on it. True if there are any. Allocates nothing and takes no lock.
inline bool admit_handled_signals(const sigset_t& now, sigset_t* blocked) {
    if (memcmp(&now, blocked, sizeof(uint64_t)) == 0) return false;  // all that the kernel has of a mask
    bool admitted = false;
    for (int number = 1; number < NSIG; ++number) {
        if (sigismember(blocked, number) != 1 || sigismember(&now, number) == 1) continue;
        struct sigaction action{};
        if (sigaction(number, nullptr, &action) != 0) continue;
        if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) continue;
        sigdelset(blocked, number);
        admitted = true;
    }
    return admitted;
}

}  // namespace chiphost::os
