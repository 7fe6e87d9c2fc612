// SPDX-License-Identifier: Apache-2.0
//
// Linker namespaces that have lost their library, kept for the next library that needs one.
#pragma once

#include <stddef.h>

#include <string>
#include <vector>

#include "chiphost/isolate/wait.h"
#include "domain.h"
#include "os/mutex.h"
#include "status/status.h"

namespace chiphost::isolate {

// A process opens few namespaces in its life, and closing one gives nothing back (facts C5). So a namespace whose
// library is gone stays open and is lent again (C7). Everybody who needs a namespace takes it here. Thread-safe.
class NamespacePool {
public:
    // A child made by fork() has a pool of its own: it has none of the threads that its parent's namespaces live on.
    static NamespacePool& of_this_process();

    // Lends a spare namespace, or opens one. If no more can be opened, whoever keeps some that it could do without is
    // asked for one, as long as still_wanted(), which may be empty, says so. Errors are those of Domain::open.
    Status take(const std::string& anchor_path, const GoOn& still_wanted, Domain** out_domain, ch_error* out_error);

    // Lends a namespace as `take` does, but asks nobody for one: for the one who keeps such namespaces.
    Status try_take(const std::string& anchor_path, Domain** out_domain, ch_error* out_error);

    // Gives a namespace back that nobody needs, and says whether there was one. Called by any thread.
    using Reclaim = bool (*)(const GoOn& still_wanted);
    void set_reclaim(Reclaim reclaim);

    // Takes a namespace back. Nothing of what was loaded into it may be left, nor a call be under way in it.
    void give_back(Domain* domain);

    // The number of namespaces that wait for a library.
    size_t spare();

private:
    NamespacePool() = default;

    os::Mutex mutex_;
    Reclaim reclaim_ CH_GUARDED_BY(mutex_) = nullptr;
    size_t opened_ CH_GUARDED_BY(mutex_) = 0;  // at most so many are ever given back
    std::vector<Domain*> spare_ CH_GUARDED_BY(mutex_);
    // Namespaces that were opened when there was no memory for their first thread.
    std::vector<Domain*> not_started_ CH_GUARDED_BY(mutex_);
};

}  // namespace chiphost::isolate
