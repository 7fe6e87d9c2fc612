// SPDX-License-Identifier: Apache-2.0
//
// Which signals threads that run libraries' code block, and what the processes that such code starts get instead.
//
// A handler is code of the program, and a signal for the process is for the program's own threads: our threads block
// all but faults. A program that waits for signals blocks them in all its threads, too, and knows nothing of ours. In a
// child process nobody but the library has handlers; only what a terminal sends to all its processes is kept away from
// it.
//
// A process inherits the mask of the thread that starts it. One that a library starts must not: with all signals
// blocked it would not react to SIGTERM.
#pragma once

#include <signal.h>

namespace chiphost::interpose {

enum class Home { program, child };

// Never blocks what a fault sends.
sigset_t blocked_for(Home home);

// What the threads of an anchor block that run libraries' code; for Home::program unless the process says otherwise
// before it makes any.
sigset_t blocked_on_threads();
void set_home(Home of_this_process);
Home home_of_this_process();

// From now on a process that is started by a thread of this C library that blocks exactly `given` gets `handed_down` as
// its mask; signals that isolated code handles (own_signal_handlers.h) do not count in that. A thread that has changed
// its mask hands that down, as usual. Of two rules for one mask the later counts; there may be four. Holds for fork(),
// and, where the functions of spawned_processes.cpp come first, for posix_spawn(), system(), popen() and vfork(). Calls
// malloc. One call at a time.
void hand_down_mask(const sigset_t& given, const sigset_t& handed_down);

// The mask for a process that this thread starts.
sigset_t mask_to_hand_down();

}  // namespace chiphost::interpose
