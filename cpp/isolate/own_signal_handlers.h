// SPDX-License-Identifier: Apache-2.0
//
// sigaction() and signal() for isolated code. Its threads block signals for the sake of the program's handlers; a
// handler that isolated code installs may run there. From then on the thread that has installed it takes the signal,
// and raise() reaches it.
#pragma once

#include <signal.h>

namespace chiphost::isolate {

int install_action(int number, const struct sigaction* action, struct sigaction* out_before);
sighandler_t install_handler(int number, sighandler_t handler);

}  // namespace chiphost::isolate
