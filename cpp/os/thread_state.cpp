// SPDX-License-Identifier: Apache-2.0
#include "thread_state.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "handled_signals.h"

namespace chiphost::os {

ThreadState ThreadState::of_this_thread() {
    ThreadState state;
    state.floats_ = FloatState::of_this_thread();
    pthread_sigmask(SIG_SETMASK, nullptr, &state.blocked_);
    sigaltstack(nullptr, &state.handler_stack_);
    state.locale_ = uselocale(nullptr);
    state.refresh();
    return state;
}

bool ThreadState::get_scheduling(Scheduling* out_scheduling) {
    return syscall(SYS_sched_getattr, 0, out_scheduling, sizeof *out_scheduling, 0) == 0;
}

void ThreadState::refresh() {
    processors_known_ = sched_getaffinity(0, sizeof processors_, &processors_) == 0;
    scheduling_known_ = get_scheduling(&scheduling_);
    prctl(PR_GET_NAME, name_);
}

void ThreadState::admit_handled() {
    sigset_t now;
    if (pthread_sigmask(SIG_SETMASK, nullptr, &now) == 0) admit_handled_signals(now, &blocked_);
}

void ThreadState::restore_quickly() const {
    floats_.restore();
    pthread_sigmask(SIG_SETMASK, &blocked_, nullptr);
    if (uselocale(nullptr) != locale_) uselocale(locale_);
}

bool ThreadState::restore() const {
    const int error = errno;
    bool restored = true;
    restore_quickly();
    stack_t handler_stack;
    if (sigaltstack(nullptr, &handler_stack) == 0 &&
        (handler_stack.ss_sp != handler_stack_.ss_sp || handler_stack.ss_size != handler_stack_.ss_size ||
         handler_stack.ss_flags != handler_stack_.ss_flags)) {
        restored &= sigaltstack(&handler_stack_, nullptr) == 0;
    }
    cpu_set_t processors;
    if (processors_known_ && sched_getaffinity(0, sizeof processors, &processors) == 0 &&
        !CPU_EQUAL(&processors, &processors_)) {
        restored &= sched_setaffinity(0, sizeof processors_, &processors_) == 0;
    }
    Scheduling scheduling;
    if (scheduling_known_ && get_scheduling(&scheduling) && memcmp(&scheduling, &scheduling_, sizeof scheduling) != 0) {
        restored &= syscall(SYS_sched_setattr, 0, &scheduling_, 0) == 0;
    }
    char name[sizeof name_];
    if (prctl(PR_GET_NAME, name) == 0 && strcmp(name, name_) != 0) prctl(PR_SET_NAME, name_);
    errno = error;
    return restored;
}

}  // namespace chiphost::os
