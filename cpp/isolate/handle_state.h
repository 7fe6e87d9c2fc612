// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <atomic>
#include <new>
#include <string>

#include "chiphost/abi/error.h"
#include "os/thread_annotations.h"
#include "status/status.h"
#include "turn.h"
#include "wait_time.h"

namespace chiphost::isolate {

// The state of a handle to something that lives elsewhere: an instance of a library, a worker's device context.
//
//   usable --poison--> poisoned
//      `-------end--------`---end--> ended
//
// A handle belongs to the process it was made in. Its calls are made one after the other, each in a turn (TurnLock),
// which guards what the handle has. A call that never returns, or that takes along what the handle stands for, poisons
// the handle: from then on it can only be ended.
class CH_CAPABILITY("turn") HandleState {
public:
    // The words for the handle in messages.
    struct Words {
        const char* thing;                // "library"
        const char* made;                 // "opened"
        const char* ended;                // "closed"
        const char* call;                 // "call": what the thing is had for
        const char* interrupted;          // the message of a wait for a turn that was interrupted
        const char* poisoned;             // what comes before the reason
        const char* poisoned_by_default;  // the reason for which there was no memory
    };

    // `where` is that of the errors. The words must live as long as the handle.
    HandleState(const Words& words, std::string where);
    HandleState(const HandleState&) = delete;
    HandleState& operator=(const HandleState&) = delete;

    // True in a process made by fork() since. Any thread.
    bool inherited() const;
    // CH_WRONG_PROCESS. Any thread.
    Status check_process(ch_error* out_error) const;
    // May be asked without a turn.
    bool poisoned() const { return poisoned_.load(); }

    // CH_FINALIZED, CH_POISONED.
    Status check_usable(ch_error* out_error) const CH_REQUIRES(this);

    // make_reason() returns a std::string, and may throw std::bad_alloc. It may use what the turn guards, which clang
    // cannot see from here.
    template <typename MakeReason>
    void poison(MakeReason&& make_reason) CH_REQUIRES(this) CH_NO_THREAD_SAFETY_ANALYSIS {
        poisoned_ = true;
        try {
            reason_ = make_reason();
        } catch (const std::bad_alloc&) {
            reason_.clear();
        }
    }

    void end() CH_REQUIRES(this) { ended_ = true; }
    bool ended() const CH_REQUIRES(this) { return ended_; }

private:
    friend class TurnLock;
    Status take_turn(const WaitTime& time, ch_error* out_error);

    const Words& words_;
    const std::string where_;
    const pid_t process_;
    Turn turn_;
    std::atomic<bool> poisoned_{false};
    std::string reason_ CH_GUARDED_BY(this);  // empty for want of memory
    bool ended_ CH_GUARDED_BY(this) = false;
};

// The turn of a call, which ends with this object. Used by one thread.
class CH_SCOPED_CAPABILITY TurnLock {
public:
    // Waits for the calls of other threads. Whoever makes a lock returns at once unless status() or usable()
    // is CH_OK: clang knows no constructor that may fail, and takes the turn for had.
    TurnLock(HandleState& state, const WaitTime& time, ch_error* out_error) CH_ACQUIRE(state);
    ~TurnLock() CH_RELEASE();
    TurnLock(const TurnLock&) = delete;
    TurnLock& operator=(const TurnLock&) = delete;

    // CH_WRONG_PROCESS; CH_DEADLINE_EXCEEDED, CH_INTERRUPTED while another thread had the turn: nothing has been done.
    Status status() const { return status_; }
    // Adds to status() what check_usable() says.
    Status usable(ch_error* out_error) const CH_NO_THREAD_SAFETY_ANALYSIS {  // it is this that has the turn
        return status_.ok() ? state_.check_usable(out_error) : status_;
    }

private:
    HandleState& state_;
    const Status status_;
};

}  // namespace chiphost::isolate
