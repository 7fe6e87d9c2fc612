// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <string.h>

#include <memory>
#include <vector>

#include "access_recorder.h"

namespace chiphost::check {

// Shadow memory: the states of all device memory for whoever runs now, as far behind each byte as the memory is long.
// It is 0 where nothing was touched, and taken from the system as it is.
class Shadow {
public:
    // Of memory in [begin, end). As many bytes behind the end belong to the shadow.
    Shadow(uint64_t begin, uint64_t end) : distance_(end - begin) {}

    uint64_t distance() const { return distance_; }
    Page* page(uint64_t number) const { return reinterpret_cast<Page*>((number << page_bits) + distance_); }

private:
    const uint64_t distance_;
};

// Pages of those who do not run now. They are used again.
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
// The first of bytes [begin, end) that lacks a state; `end` if none does.
uint64_t first_without(const Page& page, ByteState state, uint64_t begin, uint64_t end);

// The states that every byte of a page has, and those that some byte has.
struct CommonStates {
    uint8_t all, any;
};
CommonStates common_states(const Page& page);

// Calls visit(begin, end) for every run of bytes among [first, last) of a page that have a state. Most pages are in
// runs of many bytes, so it looks at 32 at a time.
template <typename Visit>
void for_each_run(const Page& page, ByteState state, uint32_t first, uint32_t last, Visit&& visit) {
    constexpr uint32_t step = 32;
    const uint64_t wanted = uint64_t{0x0101010101010101u} * state;
    bool inside = false;
    uint32_t begin = 0;
    const auto change = [&](uint32_t at) {
        if (inside) visit(begin, at);
        begin = at;
        inside = !inside;
    };
    for (uint32_t byte = first; byte < last;) {
        const uint32_t end = byte + step < last ? byte + step : last;
        if (end - byte == step) {
            uint64_t words[step / sizeof(uint64_t)];
            memcpy(words, page.state + byte, sizeof words);
            uint64_t all = wanted, any = 0;
            for (const uint64_t word : words) {
                all &= word;
                any |= word & wanted;
            }
            if (all == wanted || any == 0) {
                if (inside != (any != 0)) change(byte);
                byte = end;
                continue;
            }
        }
        for (; byte < end; ++byte) {
            if (inside != ((page.state[byte] & state) != 0)) change(byte);
        }
    }
    if (inside) visit(begin, last);
}

// What one kernel has read and written, by pages. Memory is in proportion to what was touched. The pages are in the
// shadow until put_aside(), and again from bring_back() on.
class Footprint {
public:
    Footprint(PagePool* pool, const Shadow* shadow) : pool_(pool), shadow_(shadow) {}
    ~Footprint() { clear(); }
    Footprint(const Footprint&) = delete;
    Footprint& operator=(const Footprint&) = delete;

    Page* find(uint64_t number) const { return pages_.empty() ? nullptr : places_[place_of(number)].page; }
    // A page on which nothing is allowed, of whose bytes for_each_range() looks at [begin, end) only. There is none of
    // that number yet; 0 is no number. The pages are in the shadow.
    Page* add(uint64_t number, uint32_t begin = 0, uint32_t end = page_bytes);

    // Somebody else runs from now on.
    void put_aside();
    // Nobody else does any more.
    void bring_back();

    // Calls visit(begin, end) for every range of bytes that have a state, in the order of addresses.
    template <typename Visit>
    void for_each_range(ByteState state, Visit&& visit) const {
        const ByteState one[] = {state};
        for_each_range(one, [&](ByteState, uint64_t begin, uint64_t end) { visit(begin, end); });
    }
    // The same for several states, as visit(state, begin, end): for each of them in the order of addresses.
    template <size_t count, typename Visit>
    void for_each_range(const ByteState (&states)[count], Visit&& visit) const;

    // Forgets what was done. What is allowed stays.
    void forget_accesses();
    void clear();
    bool empty() const { return pages_.empty(); }

private:
    struct NumberedPage {
        uint64_t number;
        Page* page;
        uint32_t begin, end;
    };
    // Where a number is in places_, or would be.
    size_t place_of(uint64_t number) const {
        // Arrays begin at round addresses, which the multiplication scatters.
        size_t place = (number * 0x9E3779B97F4A7C15u >> 32) & (places_.size() - 1);
        while (places_[place].page && places_[place].number != number) place = (place + 1) & (places_.size() - 1);
        return place;
    }
    void make_room();
    void sort() const;
    template <typename Move>
    void move(Move&& move_page);

    PagePool* const pool_;
    const Shadow* const shadow_;
    bool aside_ = false;
    mutable std::vector<NumberedPage> pages_;  // in the order of numbers if `sorted_`
    mutable bool sorted_ = true;
    // The same by number: a hash table whose size is a power of two, at most half full.
    std::vector<NumberedPage> places_;
};

template <size_t count, typename Visit>
void Footprint::for_each_range(const ByteState (&states)[count], Visit&& visit) const {
    struct Range {
        uint64_t begin, end;
    };
    Range ranges[count] = {};  // those that have not been told yet; they may go on in the next page
    sort();
    for (const NumberedPage& each : pages_) {
        if (each.begin == each.end) continue;
        const uint64_t base = each.number << page_bits;
        // Most pages are used as a whole, or not at all.
        const bool whole = each.begin == 0 && each.end == page_bytes;
        const CommonStates common = whole ? common_states(*each.page) : CommonStates{0, any_state};
        for (size_t i = 0; i < count; ++i) {
            Range& range = ranges[i];
            const auto add = [&](uint32_t first, uint32_t last) {
                if (base + first == range.end && range.end != range.begin) {
                    range.end = base + last;
                    return;
                }
                if (range.end != range.begin) visit(states[i], range.begin, range.end);
                range = {base + first, base + last};
            };
            if ((common.all & states[i]) == states[i]) {
                add(0, static_cast<uint32_t>(page_bytes));
            } else if (common.any & states[i]) {
                for_each_run(*each.page, states[i], each.begin, each.end, add);
            }
        }
    }
    for (size_t i = 0; i < count; ++i) {
        if (ranges[i].end != ranges[i].begin) visit(states[i], ranges[i].begin, ranges[i].end);
    }
}

}  // namespace chiphost::check
