// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <map>
#include <vector>

#include "access_recorder.h"
#include "byte_ranges.h"
#include "finding.h"

namespace chiphost::check {

// A use of memory by a segment (segments.h): what it did with which bytes.
struct Use {
    uint64_t begin, end;  // addresses
    uint32_t segment;
    Action action;
    AtomicUse atomic;     // of an atomic action
    bool copied = false;  // by a block copy, which passes the core's data cache by

    bool writes() const { return action == Action::write || (action == Action::atomic && atomic != AtomicUse::load); }
};

// A piece of device memory that has a life of its own: an argument of the run, what an orchestration allocated, or a
// new tensor of a task. Another one that lies at the same place later is another buffer.
struct Buffer {
    enum class State : uint8_t { live, freed, expired };

    Memory memory;
    uint64_t begin = 0, end = 0;  // addresses
    State state = State::live;
    std::vector<Use> uses;
};

// The buffers of a run, and the device memory around them.
class LiveMemory {
public:
    static constexpr uint32_t none = UINT32_MAX;

    // The device's allocations, which outlive a run.
    void allocated(uint64_t address, uint64_t bytes, bool zeroed);
    void released(uint64_t address);

    // Bytes that hold a value from now on.
    void written(uint64_t begin, uint64_t end) { written_.add(begin, end); }
    // Bytes that hold none any more.
    void forgotten(uint64_t begin, uint64_t end) { written_.remove(begin, end); }
    const ByteRanges& written() const { return written_; }

    // Starts a run: all allocations are the runtime's own but those that are made buffers.
    void begin_run();

    // Makes a buffer at an address. What was there before has come to its end.
    uint32_t add_buffer(const Memory& memory, uint64_t begin, uint64_t end);
    Buffer& buffer(uint32_t index) { return buffers_[index]; }
    const Buffer& buffer(uint32_t index) const { return buffers_[index]; }
    uint32_t buffer_count() const { return static_cast<uint32_t>(buffers_.size()); }

    // The buffer that has the byte or had it last, `none` if there never was one.
    uint32_t buffer_at(uint64_t address) const;
    // The nearest buffer to an address within `distance` bytes.
    uint32_t nearest_buffer(uint64_t address, uint64_t distance) const;

    // The allocation that has the byte. False: none has.
    bool allocation_at(uint64_t address, uint64_t* out_begin, uint64_t* out_end) const;
    // Calls visit(begin, end) for every live allocation that has a byte of [begin, end).
    template <typename Visit>
    void for_each_allocation_in(uint64_t begin, uint64_t end, Visit&& visit) const {
        auto at = allocations_.upper_bound(begin);
        if (at != allocations_.begin() && std::prev(at)->second > begin) --at;
        for (; at != allocations_.end() && at->first < end; ++at) visit(at->first, at->second);
    }
    // Calls visit(buffer) for every buffer that has a byte of [begin, end) or had it last.
    template <typename Visit>
    void for_each_buffer_in(uint64_t begin, uint64_t end, Visit&& visit) const {
        auto at = by_begin_.upper_bound(begin);
        if (at != by_begin_.begin() && buffers_[std::prev(at)->second].end > begin) --at;
        for (; at != by_begin_.end() && at->first < end; ++at) visit(buffers_[at->second]);
    }

private:
    std::map<uint64_t, uint64_t> allocations_;  // begin to end
    std::vector<Buffer> buffers_;
    std::map<uint64_t, uint32_t> by_begin_;  // those that nothing lies upon
    ByteRanges written_;
};

}  // namespace chiphost::check
