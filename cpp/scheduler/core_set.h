// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

namespace chiphost::scheduler {

// A set of cores by number, 0 to 127.
class CoreSet {
public:
    static constexpr uint32_t capacity = 128;

    void insert(uint32_t core) { words_[core >> 6] |= bit(core); }
    void erase(uint32_t core) { words_[core >> 6] &= ~bit(core); }
    bool contains(uint32_t core) const { return (words_[core >> 6] & bit(core)) != 0; }
    bool empty() const { return (words_[0] | words_[1]) == 0; }

    // Lowest number in the set, which must not be empty.
    uint32_t first() const {
        return words_[0] ? static_cast<uint32_t>(__builtin_ctzll(words_[0]))
                         : 64 + static_cast<uint32_t>(__builtin_ctzll(words_[1]));
    }

    // Calls visit(core) for every core that is in the set at the start, in ascending order.
    template <typename Visit>
    void for_each(Visit&& visit) const {
        for (uint32_t word = 0; word < 2; ++word) {
            for (uint64_t left = words_[word]; left != 0; left &= left - 1) {
                visit(word * 64 + static_cast<uint32_t>(__builtin_ctzll(left)));
            }
        }
    }

private:
    static uint64_t bit(uint32_t core) { return uint64_t{1} << (core & 63); }

    uint64_t words_[2] = {0, 0};
};

}  // namespace chiphost::scheduler
