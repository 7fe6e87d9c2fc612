// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>

#include <string>
#include <vector>

namespace chiphost::isolate {

// The circumstances that this process would hand down to one that it starts now: environment, working directory,
// standard streams, user, processors and limits. Equal circumstances start equal children. The umask, which can only be
// read by changing it for a moment, is not among them, nor are a priority and what only a process itself gives up.
//
// Starting a process costs some milliseconds, finding its circumstances some microseconds: so they are found whenever a
// child that was started before is to be used.
class Circumstances {
public:
    // The circumstances of the calling thread. It must be a thread of the program, as the C library lets nobody read
    // the environment while another thread changes it.
    static Circumstances of_this_thread();

    bool operator==(const Circumstances& other) const {
        return facts_ == other.facts_ && environment_ == other.environment_;
    }

    // True if the calling thread would still hand down the same, apart from the environment, which is not looked at.
    bool still_hold() const;

    // The environment for posix_spawn(): what `environ` was. Points into this object.
    std::vector<char*> environment() const;

    // The folder in which the child's files go; see temporary_folder.h.
    const std::string& temporary_folder() const { return temporary_folder_; }

    // The processors that the calling thread could run on.
    const cpu_set_t& processors() const { return processors_; }

private:
    void find_facts();

    std::string facts_;        // all but the environment
    std::string environment_;  // each variable with a zero at its end
    std::string temporary_folder_;
    cpu_set_t processors_;
};

}  // namespace chiphost::isolate
