// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "os/descriptor.h"

namespace chiphost::isolate {

// A folder for the temporary files of one child: readable by this user only, below TMPDIR, or where that is of no use
// below the system's own folder.
//
// It is locked as long as the program or the child lives, for both have its descriptor. Whoever finds a folder that is
// not locked may remove it: so a folder goes away when program and child were killed, whatever ids processes have been
// given since.
class ChildFolder {
public:
    ChildFolder() = default;
    ~ChildFolder() = default;
    ChildFolder(ChildFolder&&) = default;
    ChildFolder& operator=(ChildFolder&&) = default;

    // Makes the folder in `chosen`, or in the system's own folder if nothing can be made there. 0, or the errno of what
    // failed in `chosen`. The first call of a process also removes what is left of others.
    [[nodiscard]] int create(const std::string& chosen);

    const std::string& path() const { return path_; }
    int lock() const { return lock_.get(); }
    bool exists() const;

    // Removes the folder and what is in it.
    void remove();

    // Removes a folder that is given by descriptor and name. Opens nothing unless there are folders inside, allocates
    // nothing and takes no lock: it may run beside a thread that hangs, and where no descriptor is left.
    static void remove(int folder, const char* path);

private:
    int create_below(const std::string& parent);

    std::string path_;
    os::Descriptor lock_;
};

}  // namespace chiphost::isolate
