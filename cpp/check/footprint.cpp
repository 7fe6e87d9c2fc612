// SPDX-License-Identifier: Apache-2.0
#include "footprint.h"

#include <string.h>

#include <algorithm>

namespace chiphost::check {

Page* PagePool::take() {
    if (free_.empty()) {
        all_.push_back(std::make_unique<Page>());
        free_.push_back(all_.back().get());
    }
    Page* const page = free_.back();
    free_.pop_back();
    memset(page, 0, sizeof *page);
    return page;
}

namespace {

// Calls change(word, bits) for the words that have bytes [begin, end) of a page.
template <typename Change>
void change_words(Page& page, uint64_t AccessWord::* member, uint32_t begin, uint32_t end, Change&& change) {
    while (begin < end) {
        const uint32_t bit = begin % 64;
        const uint32_t count = std::min(64 - bit, end - begin);
        const uint64_t bits = count == 64 ? ~uint64_t{0} : ((uint64_t{1} << count) - 1) << bit;
        change(page.words[begin / 64].*member, bits);
        begin += count;
    }
}

}  // namespace

void set_bits(Page& page, uint64_t AccessWord::* member, uint32_t begin, uint32_t end) {
    change_words(page, member, begin, end, [](uint64_t& word, uint64_t bits) { word |= bits; });
}

void clear_bits(Page& page, uint64_t AccessWord::* member, uint32_t begin, uint32_t end) {
    change_words(page, member, begin, end, [](uint64_t& word, uint64_t bits) { word &= ~bits; });
}

Page* Footprint::add(uint64_t number) {
    Page* const page = pool_->take();
    pages_[number] = page;
    return page;
}

void Footprint::forget_accesses() {
    for (const auto& [number, page] : pages_) {
        for (AccessWord& word : page->words) word.read = word.written = 0;
    }
}

void Footprint::clear() {
    for (const auto& [number, page] : pages_) pool_->give_back(page);
    pages_.clear();
}

std::vector<uint64_t> Footprint::sorted_numbers() const {
    std::vector<uint64_t> numbers;
    numbers.reserve(pages_.size());
    for (const auto& [number, page] : pages_) numbers.push_back(number);
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

}  // namespace chiphost::check
