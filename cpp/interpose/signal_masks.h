// SPDX-License-Identifier: Apache-2.0
//
// The signals that threads block while they run libraries' code, and the masks of the processes that such code starts.
//
// A handler is code of the program, and a signal for the process is for the program's own threads: our threads block
// all but faults. A program that waits for signals blocks them in all its threads, too, and knows nothing of ours. In a
// child process nobody but the library has handlers; only what a terminal sends to all its processes is kept away from
// it.
//
// A process inherits the mask of the thread that starts it. A process that a library starts must not: with all signals
// blocked it would not react to SIGTERM.
#pragma once

#include <signal.h>

namespace chiphost::interpose {

enum class Home { program, child };

// The mask never blocks the signals of faults.
sigset_t blocked_for(Home home);

// The mask of an anchor's threads that run libraries' code; it is the one for Home::program unless the process names
// another home before it makes any thread.
sigset_t blocked_on_threads();
void set_home(Home of_this_process);
Home home_of_this_process();

// From now on a process that is started by a thread of this C library that blocks exactly `given` gets `handed_down` as
// its mask; signals that isolated code handles (own_signal_handlers.h) do not count in the comparison. A thread that
// has changed its mask hands that mask down, as usual. If two rules have the same mask the later one counts; there may
// be four rules. Holds for fork(), and, where the functions of spawned_processes.cpp come first, for posix_spawn(),
// system(), popen() and vfork(). Calls malloc. One call at a time.
void hand_down_mask(const sigset_t& given, const sigset_t& handed_down);

// The mask for a process that this thread starts.
sigset_t mask_to_hand_down();

}  // namespace chiphost::interpose
