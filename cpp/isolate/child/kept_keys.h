// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <string>
#include <string_view>
#include <vector>

namespace chiphost::isolate {

// The things that a child keeps for later messages, by key: they are sent once and referred to by a slot's number. When
// all slots are taken, the next thing gets the least recently used slot.
class KeptKeys {
public:
    static constexpr uint32_t slots_max = 64;

    struct Place {
        uint32_t slot;
        bool kept;  // the child has it
    };

    // The place where a thing is, or is to be put.
    Place find(std::string_view key) {
        uint32_t oldest = 0;
        for (uint32_t slot = 0; slot < entries_.size(); ++slot) {
            if (entries_[slot].key == key) {
                entries_[slot].used = ++clock_;
                return {slot, true};
            }
            if (entries_[slot].used < entries_[oldest].used) oldest = slot;
        }
        return {entries_.size() < slots_max ? static_cast<uint32_t>(entries_.size()) : oldest, false};
    }

    // Notes that the child has put a thing into a slot that `find` has named.
    void put(uint32_t slot, std::string_view key) {
        if (slot == entries_.size()) entries_.emplace_back();
        entries_[slot] = {std::string(key), ++clock_};
    }

private:
    struct Entry {
        std::string key;
        uint64_t used;
    };
    std::vector<Entry> entries_;
    uint64_t clock_ = 0;
};

}  // namespace chiphost::isolate
