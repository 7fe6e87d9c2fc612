// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <string.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "access_recorder.h"

namespace chiphost::check {

// Pages that are used again.
class PagePool {
public:
    Page* take();
    void give_back(Page* page) { free_.push_back(page); }

private:
    std::vector<std::unique_ptr<Page>> all_;
    std::vector<Page*> free_;
};

// Adds states to bytes [begin, end) of a page, counted from its first.
void add_states(Page& page, uint8_t states, uint64_t begin, uint64_t end);
// Takes them away.
void remove_states(Page& page, uint8_t states, uint64_t begin, uint64_t end);

// Calls visit(begin, end) for every run of bytes of a page that have a state. Most pages are in runs of many bytes, so
// it looks at 32 at a time.
template <typename Visit>
void for_each_run(const Page& page, ByteState state, Visit&& visit) {
    constexpr uint32_t step = 32;
    const uint64_t wanted = uint64_t{0x0101010101010101u} * state;
    bool inside = false;
    uint32_t begin = 0;
    const auto change = [&](uint32_t at) {
        if (inside) visit(begin, at);
        begin = at;
        inside = !inside;
    };
    for (uint32_t byte = 0; byte < page_bytes; byte += step) {
        uint64_t words[step / sizeof(uint64_t)];
        memcpy(words, page.state + byte, sizeof words);
        uint64_t all = wanted, any = 0;
        for (const uint64_t word : words) {
            all &= word;
            any |= word & wanted;
        }
        if (all == wanted || any == 0) {
            if (inside != (any != 0)) change(byte);
            continue;
        }
        for (uint32_t at = byte; at < byte + step; ++at) {
            if (inside != ((page.state[at] & state) != 0)) change(at);
        }
    }
    if (inside) visit(begin, static_cast<uint32_t>(page_bytes));
}

// What one kernel has read and written, by pages. Memory is in proportion to what was touched.
class Footprint {
public:
    explicit Footprint(PagePool* pool) : pool_(pool) {}
    ~Footprint() { clear(); }
    Footprint(const Footprint&) = delete;
    Footprint& operator=(const Footprint&) = delete;

    Page* find(uint64_t number) const {
        const auto found = pages_.find(number);
        return found == pages_.end() ? nullptr : found->second;
    }
    // A page on which nothing is allowed.
    Page* add(uint64_t number);

    // Calls visit(begin, end) for every range of bytes that have a state, in the order of addresses.
    template <typename Visit>
    void for_each_range(ByteState state, Visit&& visit) const;

    // Forgets what was done. What is allowed stays.
    void forget_accesses();
    void clear();
    bool empty() const { return pages_.empty(); }

private:
    std::vector<uint64_t> sorted_numbers() const;

    PagePool* const pool_;
    std::unordered_map<uint64_t, Page*> pages_;  // by number
};

template <typename Visit>
void Footprint::for_each_range(ByteState state, Visit&& visit) const {
    uint64_t begin = 0, end = 0;  // the range that has not been told yet; it may go on in the next page
    for (const uint64_t number : sorted_numbers()) {
        const uint64_t base = number << page_bits;
        for_each_run(*pages_.find(number)->second, state, [&](uint32_t first, uint32_t last) {
            if (base + first == end && end != begin) {
                end = base + last;
                return;
            }
            if (end != begin) visit(begin, end);
            begin = base + first;
            end = base + last;
        });
    }
    if (end != begin) visit(begin, end);
}

}  // namespace chiphost::check
