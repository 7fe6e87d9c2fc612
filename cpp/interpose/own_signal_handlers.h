// SPDX-License-Identifier: Apache-2.0
//
// Signals for which isolated code has installed handlers. Its threads block signals for the sake of the program's
// handlers; its own may run there. So the thread that installs one takes the signal from then on, and raise() reaches
// it; and so does every thread that calls isolated code later, as long as the handler is installed.
#pragma once

#include <signal.h>
#include <stdint.h>

namespace chiphost::interpose {

// sigaction() and signal() for isolated code. In a copy of the process that such code has made they are the C
// library's: its mask is the program's, and another thread may have held the loader's locks at the fork.
int install_action(int number, const struct sigaction* action, struct sigaction* out_before);
sighandler_t install_handler(int number, sighandler_t handler);

// Makes this process the one that the functions above look after. When an anchor is made: a process that goes on after
// a fork makes its own.
void look_after_handlers();

// A set of signals: the lowest bit is signal 1.
using Signals = uint64_t;

// For which handlers of isolated code are installed now. What the program has installed since is none. A system call
// for each that ever was. For a signal handler, too.
Signals handled_by_own();

// Which signals a thread takes for the sake of isolated code's handlers. For one thread, which calls all members.
class AdmittedSignals {
public:
    // Before it calls isolated code: takes what is handled now, and no more what was. A signal that it takes already is
    // left alone: the code may be blocking it on purpose.
    void update();

    // After a call that leaves the thread's mask to the code: what it has installed it takes already.
    void note();

    // The mask was put back as a whole: the thread takes none of them.
    void forget() { admitted_ = 0; }

private:
    Signals admitted_ = 0;
};

}  // namespace chiphost::interpose
