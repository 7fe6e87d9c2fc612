// SPDX-License-Identifier: Apache-2.0
#include "handle_state.h"

#include <unistd.h>

#include <utility>

#include "status/report.h"

namespace chiphost::isolate {

HandleState::HandleState(const Words& words, std::string where)
    : words_(words), where_(std::move(where)), process_(getpid()) {}

bool HandleState::inherited() const {
    return process_ != getpid();
}

Status HandleState::check_process(ch_error* out_error) const {
    if (!inherited()) return CH_OK;
    return report(out_error, CH_WRONG_PROCESS, where_, "the %s was %s in process %d, this is %d", words_.thing,
                  words_.made, static_cast<int>(process_), static_cast<int>(getpid()));
}

Status HandleState::check_usable(ch_error* out_error) const {
    if (ended_) return report(out_error, CH_FINALIZED, where_, "the %s was %s", words_.thing, words_.ended);
    if (!poisoned_) return CH_OK;
    return report(out_error, CH_POISONED, where_, "%s%s", words_.poisoned,
                  reason_.empty() ? words_.poisoned_by_default : reason_.c_str());
}

Status HandleState::take_turn(const WaitTime& time, ch_error* out_error) {
    // This is asked before a lock is taken: at the fork another thread may have held it.
    CH_TRY(check_process(out_error));
    for (;;) {
        const uint64_t slice_ns = time.next_slice_ns();
        if (slice_ns == CH_MAILBOX_FOR_EVER) {
            turn_.lock();
            return CH_OK;
        }
        if (turn_.lock_for(slice_ns)) return CH_OK;
        if (time.interrupted()) return report(out_error, CH_INTERRUPTED, where_, "%s", words_.interrupted);
        if (time.is_up()) {
            return report(out_error, CH_DEADLINE_EXCEEDED, where_,
                          "the %s did not begin within %.3g s: another thread's %s had the %s", words_.call,
                          time.seconds(), words_.call, words_.thing);
        }
    }
}

TurnLock::TurnLock(HandleState& state, const WaitTime& time, ch_error* out_error)
    : state_(state), status_(state.take_turn(time, out_error)) {}

TurnLock::~TurnLock() {
    if (status_.ok()) state_.turn_.unlock();
}

}  // namespace chiphost::isolate
