// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <map>

namespace chiphost::platform {

// Addresses for the memory of a device that is checked: far apart, and none is used twice during a run. What lies
// between is memory, too, so that an access that goes astray is reported and does no harm.
class Arena {
public:
    static constexpr uint64_t gap_bytes = 64 << 10;  // between two pieces, at least

    // Reserves addresses for `bytes_max` bytes and the gaps, or for less if the system has no more; and as many again
    // behind the end, which are zero and the checker's.
    explicit Arena(uint64_t bytes_max);
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    uint64_t begin() const { return begin_; }
    uint64_t end() const { return end_; }

    // Takes a piece, which is zero and begins at a page. 0: there are no addresses left.
    uint64_t take(uint64_t bytes);
    // Gives a piece back, and its pages to the system.
    void give_back(uint64_t address);
    // A run begins: what has been given back may be taken again.
    void begin_run();

private:
    uint64_t begin_ = 0, end_ = 0;
    uint64_t next_ = 0;
    std::map<uint64_t, uint64_t> pieces_;  // address to bytes
};

}  // namespace chiphost::platform
