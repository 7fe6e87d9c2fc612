// SPDX-License-Identifier: Apache-2.0
//
// The threads that libraries have made and that still live.
#pragma once

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "chiphost/abi/thread_origins.h"

namespace chiphost::isolate {

// How the threads are known that libraries have made on an anchor's threads: by what was noted when they were made;
// else by what a thread inherits from the one that made it, unless it is given others. Of a thread of which nothing was
// noted and that took another name, the signals are looked at that it blocks. They are those of all anchors' threads,
// so it may be another anchor's, and counts all the same; only who changes both is missed.
struct InheritedTraits {
    std::string_view name;
    const sigset_t& blocked;
    const sigset_t& blocked_by_program;
    ch_thread_origins* origins;  // may be nullptr
};

// When foreign threads began that still live.
class ForeignThreads {
public:
    // `own` are the kernel's numbers of the anchor's threads, which are not asked for. A thread that is at its end
    // counts no more. Allocates nothing.
    static ForeignThreads find(const InheritedTraits& traits, const int32_t* own, size_t own_count);

    bool none() const { return count_ == 0 && all_known_; }
    // 0 without one; UINT64_MAX if that is not known.
    uint64_t last_ns() const;
    // Whether one began between two moments of thread_clock_ns() (thread_clock.h). Yes if that is not known: because
    // this system does not list threads (/proc), or there are too many.
    bool began_between(uint64_t from_ns, uint64_t to_ns) const;

private:
    static constexpr size_t count_max = 64;

    uint64_t tick_ns_ = 0;
    size_t count_ = 0;
    bool all_known_ = true;
    uint64_t began_ns_[count_max] = {};  // the beginning of the tick
};

}  // namespace chiphost::isolate
