// SPDX-License-Identifier: Apache-2.0
//
// Signals for which isolated code has installed handlers. Its threads block signals for the sake of the program's
// handlers; its own may run there. So the thread that installs one takes the signal from then on, and raise() reaches
// it; and so does every thread that calls isolated code later, as long as the handler is installed.
#pragma once

#include <signal.h>
#include <stdint.h>

namespace chiphost::interpose {

// sigaction() and signal() for isolated code. In a copy of the process that such code has made they are the C library's
// functions: the mask there is the program's, and another thread may have held the loader's locks at the fork.
int install_action(int number, const struct sigaction* action, struct sigaction* out_before);
sighandler_t install_handler(int number, sighandler_t handler);

// Makes this process the one that the functions above look after. Called when an anchor is made: a process that goes on
// after a fork makes its own anchor.
void look_after_handlers();

// A set of signals: the lowest bit is signal 1.
using Signals = uint64_t;

// The signals for which handlers of isolated code are installed now. A handler that the program has installed since
// does not count. Costs a system call for each handler that there ever was. May be called in a signal handler.
Signals handled_by_own();

// The signals that a thread takes for the sake of isolated code's handlers. One thread calls all members.
class AdmittedSignals {
public:
    // Called before isolated code: lets through the signals that are handled now, and blocks those that no longer are.
    // Signals that the thread takes already are left alone: the code may be blocking them on purpose.
    void update();

    // Called after code that keeps the thread's mask as it left it: signals whose handlers it has installed are taken
    // already.
    void note();

    // The mask was put back as a whole: the thread takes none of them.
    void forget() { admitted_ = 0; }

private:
    Signals admitted_ = 0;
};

}  // namespace chiphost::interpose
