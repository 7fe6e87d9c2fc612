// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <memory>
#include <unordered_map>
#include <vector>

#include "access_recorder.h"

namespace chiphost::check {

// One page of memory as one kernel sees it.
struct Page {
    AccessWord words[words_of_page];
};

// Pages that are used again.
class PagePool {
public:
    Page* take();
    void give_back(Page* page) { free_.push_back(page); }

private:
    std::vector<std::unique_ptr<Page>> all_;
    std::vector<Page*> free_;
};

// Sets the bits of [begin, end) in a member of a page's words. Both count from the page's first byte.
void set_bits(Page& page, uint64_t AccessWord::* member, uint32_t begin, uint32_t end);

// Clears them.
void clear_bits(Page& page, uint64_t AccessWord::* member, uint32_t begin, uint32_t end);

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

    // Calls visit(begin, end) for every range of bytes that was written, or read, in the order of addresses.
    template <typename Visit>
    void for_each_range(uint64_t AccessWord::* member, Visit&& visit) const;

    // Calls visit(page) for all pages, in no order.
    template <typename Visit>
    void for_each_page(Visit&& visit) {
        for (const auto& [number, page] : pages_) visit(*page);
    }

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
void Footprint::for_each_range(uint64_t AccessWord::* member, Visit&& visit) const {
    uint64_t begin = 0, end = 0;  // the range that has not been told yet; it may go on in the next word
    const auto extend = [&](uint64_t from, uint64_t to) {
        if (from == end && end != begin) {
            end = to;
            return;
        }
        if (end != begin) visit(begin, end);
        begin = from;
        end = to;
    };
    for (const uint64_t number : sorted_numbers()) {
        const Page& page = *pages_.find(number)->second;
        for (uint32_t word = 0; word < words_of_page; ++word) {
            const uint64_t base = (number << page_bits) + word * 64;
            for (uint64_t bits = page.words[word].*member; bits != 0;) {
                const auto low = static_cast<uint32_t>(__builtin_ctzll(bits));
                const uint64_t rest = ~(bits >> low);
                const uint32_t length = rest == 0 ? 64 : static_cast<uint32_t>(__builtin_ctzll(rest));
                extend(base + low, base + low + length);
                if (low + length >= 64) break;
                bits &= ~uint64_t{0} << (low + length);
            }
        }
    }
    if (end != begin) visit(begin, end);
}

}  // namespace chiphost::check
