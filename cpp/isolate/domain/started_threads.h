// SPDX-License-Identifier: Apache-2.0
//
// The threads that a library has started and that still run.
#pragma once

#include <stdint.h>

#include <set>
#include <string>

namespace chiphost::isolate {

// Code must not be unloaded under a thread that runs it. The starter of a thread is noted if the thread was made with
// the library's own call of pthread_create (chiphost/abi/thread_origins.h). The starters of other threads are not
// known. But a thread inherits its starter's name and signal mask, unless it is given others. So the thread on which a
// library runs gets a name that no other has. A thread that has its mask, and was not there before the library, counts
// as the library's unless the name says that it is chiphost's own or another library's: rather keep a library than pull
// it from under a thread. Names of watched threads begin so.
constexpr const char* watched_name = "chiphost.";

class StartedThreads {
public:
    // The thread must not run code of the library yet. False if this system does not list threads (/proc).
    bool watch(int32_t thread);

    // Name of such a thread, "" without one. A thread that is just ending may be listed still, so this looks again for
    // some milliseconds before it believes it. *out_known: false if threads cannot be listed.
    std::string find(bool* out_known) const;

    // Takes the name away again.
    void unwatch();

private:
    std::string find_now(bool* out_known) const;

    int32_t thread_ = 0;
    bool watching_ = false;
    std::string name_;
    std::string name_before_;
    std::string mask_;
    std::set<int32_t> before_;
};

}  // namespace chiphost::isolate
