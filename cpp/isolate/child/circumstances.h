// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>

#include <string>
#include <vector>

namespace chiphost::isolate {

// What this process would hand down to one that it starts now: environment, working directory, standard streams, user,
// processors and limits. Equal ones start equal children. The umask is not among them, which can only be read by
// changing it for a moment, nor are a priority and what only a process itself gives up.
//
// A process of its own costs some milliseconds, this some microseconds: it is asked whenever a child is to be used
// that was started before.
class Circumstances {
public:
    // Of the calling thread. For a thread of the program, as the C library lets nobody read the environment while
    // another thread changes it.
    static Circumstances of_this_thread();

    bool operator==(const Circumstances& other) const {
        return facts_ == other.facts_ && environment_ == other.environment_;
    }

    // Whether the calling thread would still hand down the same, but for the environment, which it does not look at.
    bool still_hold() const;

    // For posix_spawn(): what `environ` was. Points into this object.
    std::vector<char*> environment() const;

    // Where files of the child's go; see temporary_folder.h.
    const std::string& temporary_folder() const { return temporary_folder_; }

    // Those that the calling thread could run on.
    const cpu_set_t& processors() const { return processors_; }

private:
    void find_facts();

    std::string facts_;        // all but the environment
    std::string environment_;  // each variable with a zero at its end
    std::string temporary_folder_;
    cpu_set_t processors_;
};

}  // namespace chiphost::isolate
