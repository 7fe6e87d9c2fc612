// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace chiphost::isolate {

// What this process would hand down to one that it starts now: environment, working directory, standard streams, user,
// processors and limits. Two moments with equal texts start equal children. Not the umask, which can only be read by
// changing it for a moment.
//
// A process of its own costs some milliseconds, this some microseconds: it is asked whenever a child is to be used
// that was started before.
std::string circumstances_of_this_process();

}  // namespace chiphost::isolate
