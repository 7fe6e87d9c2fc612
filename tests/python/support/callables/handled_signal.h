// SPDX-License-Identifier: Apache-2.0
//
// A handler that a constructor installs, and a check that signals reach it.
#pragma once

#include <signal.h>
#include <stdint.h>

namespace handled_signal {

inline volatile sig_atomic_t handled = 0;

// 1 if a signal that the calling thread raises reaches the handler. `last`: the handler goes afterwards.
inline int32_t reaches(bool last) {
    handled = 0;
    raise(SIGUSR2);
    if (last) signal(SIGUSR2, SIG_DFL);
    return handled;
}

__attribute__((constructor)) inline void install() {
    signal(SIGUSR2, [](int) { handled = handled + 1; });
}

}  // namespace handled_signal
