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
    return page;
}

void add_states(Page& page, uint8_t states, uint64_t begin, uint64_t end) {
    for (uint64_t byte = begin; byte < end; ++byte) page.state[byte] |= states;
}

void remove_states(Page& page, uint8_t states, uint64_t begin, uint64_t end) {
    for (uint64_t byte = begin; byte < end; ++byte) page.state[byte] &= static_cast<uint8_t>(~states);
}

uint64_t first_without(const Page& page, ByteState state, uint64_t begin, uint64_t end) {
    const uint64_t wanted = uint64_t{0x0101010101010101u} * state;
    uint64_t byte = begin;
    for (uint64_t word = 0; byte + sizeof word <= end; byte += sizeof word) {
        memcpy(&word, page.state + byte, sizeof word);
        if ((word & wanted) != wanted) break;
    }
    while (byte < end && (page.state[byte] & state)) ++byte;
    return byte;
}

CommonStates common_states(const Page& page) {
    constexpr uint32_t lanes = 8;  // in several registers, which do not wait for each other
    uint64_t all[lanes], any[lanes] = {};
    memset(all, 0xFF, sizeof all);
    for (uint32_t byte = 0; byte < page_bytes; byte += sizeof all) {
        uint64_t words[lanes];
        memcpy(words, page.state + byte, sizeof words);
        for (uint32_t lane = 0; lane < lanes; ++lane) {
            all[lane] &= words[lane];
            any[lane] |= words[lane];
        }
    }
    uint64_t all_bytes = ~uint64_t{0}, any_byte = 0;
    for (uint32_t lane = 0; lane < lanes; ++lane) {
        all_bytes &= all[lane];
        any_byte |= any[lane];
    }
    for (uint32_t bits = 32; bits >= 8; bits /= 2) {
        all_bytes &= all_bytes >> bits;
        any_byte |= any_byte >> bits;
    }
    return {static_cast<uint8_t>(all_bytes), static_cast<uint8_t>(any_byte)};
}

Page* Footprint::add(uint64_t number, uint32_t begin, uint32_t end) {
    if ((pages_.size() + 1) * 2 > places_.size()) make_room();
    Page* const page = shadow_->page(number);
    sorted_ = sorted_ && (pages_.empty() || pages_.back().number < number);
    pages_.push_back({number, page, begin, end});
    places_[place_of(number)] = {number, page, begin, end};
    return page;
}

void Footprint::make_room() {
    constexpr size_t places_min = 64;
    places_.assign(std::max(places_min, places_.size() * 2), NumberedPage{});
    for (const NumberedPage& each : pages_) places_[place_of(each.number)] = each;
}

template <typename Move>
void Footprint::move(Move&& move_page) {
    for (NumberedPage& each : pages_) {
        each.page = move_page(each);
        places_[place_of(each.number)].page = each.page;
    }
    aside_ = !aside_;
}

void Footprint::put_aside() {
    if (aside_ || pages_.empty()) return;
    move([&](const NumberedPage& each) {
        Page* const page = pool_->take();
        *page = *each.page;
        *each.page = {};
        return page;
    });
}

void Footprint::bring_back() {
    if (!aside_) return;
    move([&](const NumberedPage& each) {
        Page* const page = shadow_->page(each.number);
        *page = *each.page;
        pool_->give_back(each.page);
        return page;
    });
}

void Footprint::forget_accesses() {
    for (const NumberedPage& each : pages_) remove_states(*each.page, was_read | was_written, 0, page_bytes);
}

void Footprint::clear() {
    if (pages_.empty()) return;
    for (const NumberedPage& each : pages_) {
        if (aside_) {
            pool_->give_back(each.page);
        } else {
            *each.page = {};
        }
    }
    aside_ = false;
    constexpr size_t places_kept_max = 1024;
    // A table that is much too large for this kernel would cost every later one.
    if (places_.size() > places_kept_max && pages_.size() * 16 < places_.size()) {
        places_ = {};
    } else {
        std::fill(places_.begin(), places_.end(), NumberedPage{});
    }
    pages_.clear();
    sorted_ = true;
}

void Footprint::sort() const {
    if (sorted_) return;
    std::sort(pages_.begin(), pages_.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    sorted_ = true;
}

}  // namespace chiphost::check
