// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "child_process.h"

namespace chiphost::isolate {

// Children that wait for work. One that has done its work well is given back and waits for the next of the same key,
// which finds its libraries loaded. Thread-safe.
//
// A waiting child sleeps and uses no processor. All are ended when the process exits.
class ChildPool {
public:
    static constexpr size_t idle_max = 8;

    static ChildPool& of_this_process();

    // A waiting child of this key, or a new one, for which the errors are those of ChildProcess::start.
    [[nodiscard]] int32_t take(const std::string& key, const std::string& program,
                               std::unique_ptr<ChildProcess>* out_child, ch_error* out_error);

    // Keeps the child for the next; ends the one that has waited longest if there are too many.
    void give_back(const std::string& key, std::unique_ptr<ChildProcess> child);

    // Ends all that wait.
    void end_idle();

    size_t idle();

private:
    struct Idle {
        std::string key;
        std::unique_ptr<ChildProcess> child;
    };

    std::mutex mutex_;      // guards all below; never held while a child starts or ends
    std::list<Idle> idle_;  // most recently used first
    bool ending_ = false;   // the process exits: nothing is kept any more
};

}  // namespace chiphost::isolate
