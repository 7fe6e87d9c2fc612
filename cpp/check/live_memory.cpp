// SPDX-License-Identifier: Apache-2.0
#include "live_memory.h"

namespace chiphost::check {

void LiveMemory::allocated(uint64_t address, uint64_t bytes, bool zeroed) {
    allocations_[address] = address + bytes;
    if (zeroed) {
        written_.add(address, address + bytes);
    } else {
        written_.remove(address, address + bytes);
    }
}

void LiveMemory::released(uint64_t address) {
    const auto found = allocations_.find(address);
    if (found == allocations_.end()) return;
    written_.remove(found->first, found->second);
    if (const auto buffer = by_begin_.find(address); buffer != by_begin_.end()) {
        buffers_[buffer->second].state = Buffer::State::freed;
    }
    allocations_.erase(found);
}

void LiveMemory::begin_run() {
    buffers_.clear();
    by_begin_.clear();
}

uint32_t LiveMemory::add_buffer(const Memory& memory, uint64_t begin, uint64_t end) {
    auto at = by_begin_.upper_bound(begin);
    if (at != by_begin_.begin() && buffers_[std::prev(at)->second].end > begin) --at;
    while (at != by_begin_.end() && at->first < end) at = by_begin_.erase(at);
    const auto index = static_cast<uint32_t>(buffers_.size());
    buffers_.push_back({memory, begin, end, Buffer::State::live, {}});
    if (begin < end) by_begin_[begin] = index;
    return index;
}

uint32_t LiveMemory::buffer_at(uint64_t address) const {
    const auto after = by_begin_.upper_bound(address);
    if (after == by_begin_.begin()) return none;
    const uint32_t index = std::prev(after)->second;
    return address < buffers_[index].end ? index : none;
}

uint32_t LiveMemory::nearest_buffer(uint64_t address, uint64_t distance) const {
    const auto after = by_begin_.upper_bound(address);
    uint32_t nearest = none;
    if (after != by_begin_.begin()) {
        const uint32_t before = std::prev(after)->second;
        const uint64_t end = buffers_[before].end;
        const uint64_t gap = address < end ? 0 : address - end;
        if (gap < distance) {
            nearest = before;
            distance = gap;
        }
    }
    if (after != by_begin_.end() && after->first - address <= distance) nearest = after->second;
    return nearest;
}

bool LiveMemory::allocation_at(uint64_t address, uint64_t* out_begin, uint64_t* out_end) const {
    const auto after = allocations_.upper_bound(address);
    if (after == allocations_.begin() || address >= std::prev(after)->second) return false;
    *out_begin = std::prev(after)->first;
    *out_end = std::prev(after)->second;
    return true;
}

}  // namespace chiphost::check
