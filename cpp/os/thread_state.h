// SPDX-License-Identifier: Apache-2.0
//
// Settings that the system and the C library keep for a thread and that anybody's code may change: its floating-point
// environment, signal mask and stack for handlers, processors, priority, name, and locale.
//
// A thread that chiphost lends runs one user's code after another's. So all of this is put back before somebody else's
// code runs there.
#pragma once

#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>

#include "float_state.h"

namespace chiphost::os {

// All members are for the thread that calls them; the object is plain memory. No member allocates or takes a lock.
class ThreadState {
public:
    // The state of this thread now.
    static ThreadState of_this_thread();

    // Takes over settings of this thread that others may change meanwhile: its processors, priority and name.
    void refresh();

    // Gives this thread the state again. Settings that the system does not tell are left as they are. False if the
    // system refuses a part, as it does when an ordinary user wants a higher priority back.
    bool restore() const;

    // Restores only what takes no more than one short system call: floating-point environment, signal mask, locale.
    void restore_quickly() const;

    // Makes restore() let through the signals that code has let through on this thread meanwhile and that have a
    // handler now.
    void admit_handled();

    // The floating-point environment that restore() establishes.
    void set_floats(const FloatState& floats) { floats_ = floats; }

private:
    // The first version of the kernel's record; later ones add to it.
    struct Scheduling {
        uint32_t bytes;
        uint32_t policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime;
        uint64_t deadline;
        uint64_t period;
    };
    static bool get_scheduling(Scheduling* out_scheduling);

    FloatState floats_;
    sigset_t blocked_;
    stack_t handler_stack_;
    cpu_set_t processors_;
    bool processors_known_;
    Scheduling scheduling_;
    bool scheduling_known_;
    char name_[16];
    locale_t locale_;
};

// Leaves this thread at the end of a scope as it was at the beginning, but for signals that code in it has begun to
// handle: later work on this thread may rely on them.
class ThreadStateGuard {
public:
    ThreadStateGuard() : state_(ThreadState::of_this_thread()) {}
    ~ThreadStateGuard() {
        state_.admit_handled();
        state_.restore();
    }
    ThreadStateGuard(const ThreadStateGuard&) = delete;
    ThreadStateGuard& operator=(const ThreadStateGuard&) = delete;

private:
    ThreadState state_;
};

}  // namespace chiphost::os
