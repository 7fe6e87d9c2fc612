// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "chiphost/abi/mailbox.h"
#include "chiphost/isolate/wait.h"

namespace chiphost::isolate {

// The time that is left of a Wait, which must live as long as this object. It begins when the object is made, and is
// used by the thread that waits.
class WaitTime {
public:
    // The time after which a waiting thread looks again whether it is to go on.
    static constexpr uint64_t poll_ns = 50'000'000;

    explicit WaitTime(const Wait& wait) : wait_(wait), start_ns_(ch_monotonic_ns()) {}
    explicit WaitTime(Wait&&) = delete;

    // The time to wait before asking again whether to go on; 0: the time is up. CH_MAILBOX_FOR_EVER without a deadline
    // and without anybody to ask.
    uint64_t next_slice_ns() const {
        const uint64_t slice = wait_.go_on ? poll_ns : CH_MAILBOX_FOR_EVER;
        if (wait_.timeout == no_timeout) return slice;
        const auto timeout = static_cast<uint64_t>(std::max<int64_t>(wait_.timeout.count(), 0));
        const uint64_t elapsed = ch_monotonic_ns() - start_ns_;
        return elapsed >= timeout ? 0 : std::min(slice, timeout - elapsed);
    }

    bool is_up() const { return next_slice_ns() == 0; }
    bool interrupted() const { return wait_.go_on && !wait_.go_on(); }

    // The whole time, for messages.
    double seconds() const { return static_cast<double>(wait_.timeout.count()) * 1e-9; }

private:
    const Wait& wait_;
    const uint64_t start_ns_;
};

}  // namespace chiphost::isolate
