// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

namespace chiphost::platform {

// A set of processors by number, 0 to 127.
class ProcessorSet {
public:
    static constexpr uint32_t capacity = 128;

    void insert(uint32_t processor) { words_[processor >> 6] |= bit(processor); }
    void erase(uint32_t processor) { words_[processor >> 6] &= ~bit(processor); }
    bool contains(uint32_t processor) const { return (words_[processor >> 6] & bit(processor)) != 0; }
    bool empty() const { return (words_[0] | words_[1]) == 0; }
    void insert_all(const ProcessorSet& other) {
        words_[0] |= other.words_[0];
        words_[1] |= other.words_[1];
    }
    void clear() { words_[0] = words_[1] = 0; }
    uint32_t count() const {
        return static_cast<uint32_t>(__builtin_popcountll(words_[0]) + __builtin_popcountll(words_[1]));
    }

    // First processor at or after `from`, going round. The set must not be empty.
    uint32_t next(uint32_t from) const {
        uint32_t word = from >> 6;
        uint64_t bits = words_[word] & (~uint64_t{0} << (from & 63));
        while (bits == 0) bits = words_[word ^= 1];
        return word * 64 + static_cast<uint32_t>(__builtin_ctzll(bits));
    }

    // The same after `skipped` others. The set must have more than those.
    uint32_t next_but(uint32_t skipped, uint32_t from) const {
        uint32_t found = next(from);
        for (; skipped != 0; --skipped) found = next((found + 1) % capacity);
        return found;
    }

    ProcessorSet and_in(const ProcessorSet& other) const {
        return {words_[0] & other.words_[0], words_[1] & other.words_[1]};
    }
    ProcessorSet without(uint32_t processor) const {
        ProcessorSet others = *this;
        others.erase(processor);
        return others;
    }
    ProcessorSet without(const ProcessorSet& other) const {
        return {words_[0] & ~other.words_[0], words_[1] & ~other.words_[1]};
    }

    ProcessorSet() = default;

private:
    ProcessorSet(uint64_t low, uint64_t high) : words_{low, high} {}

    static uint64_t bit(uint32_t processor) { return uint64_t{1} << (processor & 63); }

    uint64_t words_[2] = {0, 0};
};

}  // namespace chiphost::platform
