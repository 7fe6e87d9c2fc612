// SPDX-License-Identifier: Apache-2.0
#include "signal_masks.h"

#include <pthread.h>
#include <string.h>

#include <atomic>
#include <initializer_list>

#include "own_signal_handlers.h"

namespace chiphost::interpose {

namespace {

constexpr int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};

// The part of a mask that the kernel has; the C library's record has room for more. The lowest bit is signal 1.
Signals first_word(const sigset_t& mask) {
    Signals word = 0;
    memcpy(&word, &mask, sizeof word);
    return word;
}

struct Rule {
    sigset_t given;
    sigset_t handed_down;
};
constexpr size_t rules_max = 4;
Rule rules[rules_max];  // the first `rule_count` are written, and never again
std::atomic<size_t> rule_count{0};

Home home = Home::program;

}  // namespace

void set_home(Home of_this_process) {
    home = of_this_process;
}

Home home_of_this_process() {
    return home;
}

sigset_t blocked_on_threads() {
    return blocked_for(home);
}

sigset_t blocked_for(Home home) {
    sigset_t mask;
    sigemptyset(&mask);
    if (home == Home::child) {
        for (const int number : {SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP}) sigaddset(&mask, number);
        sigaddset(&mask, SIGPIPE);  // Python ignores it, and libraries rely on that
    } else {
        sigfillset(&mask);
    }
    for (const int fault : faults) sigdelset(&mask, fault);
    for (const int never : {SIGKILL, SIGSTOP})
        sigdelset(&mask, never);  // so that it is what the system tells of a thread
    return mask;
}

sigset_t mask_to_hand_down() {
    sigset_t mask;
    sigemptyset(&mask);
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    // The code of a thread does not decide which of these signals the thread takes, so they do not count.
    const Signals handled = handled_by_own();
    for (size_t i = rule_count.load(std::memory_order_acquire); i-- > 0;) {
        if ((first_word(mask) | handled) == (first_word(rules[i].given) | handled)) return rules[i].handed_down;
    }
    return mask;
}

void hand_down_mask(const sigset_t& given, const sigset_t& handed_down) {
    const size_t count = rule_count.load(std::memory_order_relaxed);
    if (count == rules_max) return;
    rules[count] = {given, handed_down};
    rule_count.store(count + 1, std::memory_order_release);
    if (count != 0) return;
    pthread_atfork(nullptr, nullptr, [] {
        const sigset_t mask = mask_to_hand_down();
        pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    });
}

}  // namespace chiphost::interpose
