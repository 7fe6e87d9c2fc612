// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "child_process.h"
#include "chiphost/isolate/wait.h"
#include "os/mutex.h"
#include "status/status.h"

namespace chiphost::isolate {

// Children that wait for work. Thread-safe.
//
// A child in which code of others has run is not used again: its working directory, limits, signal handlers,
// environment, descriptors and memory are what that code has made of them, and nobody can tell what that is. It is
// ended. Other children are given back and wait for the next user of the same key, who finds the libraries loaded.
//
// A user who has used up a child will want another. So from the second child of a key on, a spare is started and
// prepared while the child before it works. The pool has a thread for that as long as there is something to do; it also
// ends the children that are used up.
//
// A child has the environment, the working directory, the streams and the limits that its program had when it was
// started. A child that was started under other circumstances than those of the moment is ended, too.
//
// A waiting child sleeps and uses no processor. All are ended when the process exits.
class ChildPool {
public:
    static constexpr size_t idle_max = 8;
    static constexpr size_t used_up_max = 8;  // so many wait to be ended; whoever gives back more ends them

    // Brings a child that has just been started as far as it can come before its work is known. Runs no code of others
    // except what every user of the child would run. False: the child is of no use.
    using Prepare = std::function<bool(ChildProcess& child)>;

    static ChildPool& of_this_process();

    ChildPool() = default;
    ~ChildPool();
    ChildPool(const ChildPool&) = delete;
    ChildPool& operator=(const ChildPool&) = delete;

    // Hands out a waiting child of this key, or a new one. Errors are those of ChildProcess::start; CH_INTERRUPTED if
    // go_on, which may be empty, says so. `prepare` may be called later, by the pool's thread.
    Status take(const std::string& key, const std::string& program, const Prepare& prepare, const GoOn& go_on,
                std::unique_ptr<ChildProcess>* out_child, ch_error* out_error);

    // Keeps the child for the next, and ends the one that has waited longest if there are too many. Ends the child if
    // it is used up.
    void give_back(const std::string& key, std::unique_ptr<ChildProcess> child);

    // Ends all waiting children, and waits until the pool's thread has ended those that are used up.
    void end_idle();

    size_t idle();

private:
    struct Idle {
        std::string key;
        std::unique_ptr<ChildProcess> child;
    };
    struct Order {
        std::string key;
        std::string program;
        Prepare prepare;
        Circumstances circumstances;  // those of whoever wants the child
    };

    std::unique_ptr<ChildProcess> find(const std::string& key, const Circumstances& now);
    static std::list<Idle> make_spare(const Order& order);
    void work();
    void order_spare(const std::string& key, const std::string& program, const Prepare& prepare,
                     const Circumstances& circumstances) CH_REQUIRES(mutex_);
    bool in_the_making(const std::string& key) const CH_REQUIRES(mutex_);
    bool was_used_up_before(const std::string& key) const CH_REQUIRES(mutex_);
    void trim(Idle* out_too_many) CH_REQUIRES(mutex_);
    bool start_thread() CH_REQUIRES(mutex_);
    void end_all();
    bool has_work() const CH_REQUIRES(mutex_) { return !orders_.empty() || !used_up_.empty(); }

    os::Mutex mutex_;                             // never held while a child starts or ends
    std::list<Idle> idle_ CH_GUARDED_BY(mutex_);  // most recently used first
    bool ending_ CH_GUARDED_BY(mutex_) = false;   // the process exits: nothing is kept any more

    std::list<std::string> used_before_ CH_GUARDED_BY(mutex_);  // keys of which a child was used up, the last one first
    std::list<Order> orders_ CH_GUARDED_BY(mutex_);             // spares to be made
    std::string making_ CH_GUARDED_BY(mutex_);                  // key of the one that is being made; empty: none
    std::list<std::unique_ptr<ChildProcess>> used_up_ CH_GUARDED_BY(mutex_);  // to be ended
    bool thread_runs_ CH_GUARDED_BY(mutex_) = false;
    bool thread_works_ CH_GUARDED_BY(mutex_) = false;  // without the lock
    os::Condition changed_;                            // anything of the above
};

}  // namespace chiphost::isolate
