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

void add_states(Page& page, uint8_t states, uint64_t begin, uint64_t end) {
    for (uint64_t byte = begin; byte < end; ++byte) page.state[byte] |= states;
}

void remove_states(Page& page, uint8_t states, uint64_t begin, uint64_t end) {
    for (uint64_t byte = begin; byte < end; ++byte) page.state[byte] &= static_cast<uint8_t>(~states);
}

Page* Footprint::add(uint64_t number) {
    Page* const page = pool_->take();
    pages_[number] = page;
    return page;
}

void Footprint::forget_accesses() {
    for (const auto& [number, page] : pages_) {
        remove_states(*page, was_read | was_written, 0, page_bytes);
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
