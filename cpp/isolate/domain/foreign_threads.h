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

// The traits by which the threads are known that libraries have made on an anchor's threads. A thread is known by what
// was noted when it was made; otherwise by the name and the blocked signals that it inherits from the thread that made
// it, unless it is given others. If nothing was noted and the name is another one, the blocked signals decide. All
// anchors' threads block the same ones, so the thread may be another anchor's, and counts all the same. Only a thread
// that changes both is missed.
struct InheritedTraits {
    std::string_view name;
    const sigset_t& blocked;
    const sigset_t& blocked_by_program;
    ch_thread_origins* origins;  // may be nullptr
};

// The beginnings of the foreign threads that still live.
class ForeignThreads {
public:
    // `own` are the kernel's numbers of the anchor's threads, which are not asked for. A thread that is at its end
    // counts no more. Allocates nothing.
    static ForeignThreads find(const InheritedTraits& traits, const int32_t* own, size_t own_count);

    bool none() const { return count_ == 0 && all_known_; }
    // The beginning of the last one; 0 without one, UINT64_MAX if that is not known.
    uint64_t last_ns() const;
    // True if one began between two moments of thread_clock_ns() (thread_clock.h). True also if that is not known:
    // because this system does not list threads (/proc), or there are too many.
    bool began_between(uint64_t from_ns, uint64_t to_ns) const;

private:
    static constexpr size_t count_max = 64;

    uint64_t tick_ns_ = 0;
    size_t count_ = 0;
    bool all_known_ = true;
    uint64_t began_ns_[count_max] = {};  // the beginning of the tick
};

}  // namespace chiphost::isolate
