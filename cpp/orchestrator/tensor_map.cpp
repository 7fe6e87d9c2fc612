// SPDX-License-Identifier: Apache-2.0
#include "tensor_map.h"

namespace chiphost::orchestrator {

using graph::none;

namespace {

// In a list of a bucket no entry is its own predecessor, so this marks entries that are in none.
constexpr uint32_t not_listed = UINT32_MAX - 1;

}  // namespace

void TensorMap::begin(Entry* entries, uint32_t capacity, Bucket* buckets) {
    entries_ = entries;
    buckets_ = buckets;
    capacity_ = capacity;
    fresh_ = used_ = 0;
    free_ = none;
    for (uint32_t i = 0; i < bucket_count; ++i) buckets_[i] = {{none, none}};
}

bool TensorMap::add(uint64_t buffer, const graph::TensorRegion& region, Use use, uint32_t task,
                    uint32_t* first_of_task) {
    uint32_t index = free_;
    if (index != none) {
        free_ = entries_[index].next_of_task;
    } else if (fresh_ < capacity_) {
        index = fresh_++;
    } else {
        return false;
    }
    ++used_;
    uint32_t& first = buckets_[bucket_of(buffer)].first[static_cast<uint32_t>(use)];
    entries_[index] = {region, buffer, task, none, first, *first_of_task, use};
    if (first != none) entries_[first].previous = index;
    first = index;
    *first_of_task = index;
    return true;
}

// Takes an entry out of its bucket. It stays in its task's list, which forget() walks.
void TensorMap::unlink(uint32_t index) {
    Entry& entry = entries_[index];
    if (entry.previous == not_listed) return;
    if (entry.previous != none) {
        entries_[entry.previous].next = entry.next;
    } else {
        buckets_[bucket_of(entry.buffer)].first[static_cast<uint32_t>(entry.use)] = entry.next;
    }
    if (entry.next != none) entries_[entry.next].previous = entry.previous;
    entry.previous = not_listed;
}

void TensorMap::forget(uint32_t first_of_task) {
    for (uint32_t index = first_of_task, next; index != none; index = next) {
        next = entries_[index].next_of_task;
        unlink(index);
        entries_[index].next_of_task = free_;
        free_ = index;
        --used_;
    }
}

}  // namespace chiphost::orchestrator
