// SPDX-License-Identifier: Apache-2.0
//
// Who reads and writes which part of which buffer: where edges are inferred from.
#pragma once

#include <stdint.h>

#include <initializer_list>

#include "graph/task.h"
#include "graph/tensor_map_format.h"

namespace chiphost::orchestrator {

// The uses of tensors by tasks that have not been forgotten. Used by the orchestrator's thread only.
//
// A use counts until its task has completed, or until a later write covers it: whoever comes after that meets the later
// write, which waits for it. There is no limit on how many uses a look-up finds. Its entry is given back with forget(),
// when the task's slot is needed again.
class TensorMap {
public:
    using Use = graph::TensorUse;
    using Entry = graph::TensorMapEntry;
    using Bucket = graph::TensorMapBucket;
    static constexpr uint32_t bucket_count = graph::tensor_map_bucket_count;

    // `capacity` entries and bucket_count buckets, borrowed.
    void begin(Entry* entries, uint32_t capacity, Bucket* buckets);

    // Calls found(task) for every task that must come before one that uses the region this way: for a read all
    // overlapping writes, for a write all overlapping uses. A task may be found more than once. Uses that a write
    // covers are forgotten. `is_over(task)` says that a task has completed, so that nobody waits for it: then its use
    // is forgotten as well.
    template <typename Found, typename IsOver>
    void find(uint64_t buffer, const graph::TensorRegion& region, Use use, Found&& found, IsOver&& is_over);

    // Adds a use. *first_of_task is the head of the task's list of uses, none at the start. False: no entry is free.
    bool add(uint64_t buffer, const graph::TensorRegion& region, Use use, uint32_t task, uint32_t* first_of_task);

    // Gives the entries of a task back. `first_of_task` as add() left it.
    void forget(uint32_t first_of_task);

    uint32_t free_count() const { return capacity_ - used_; }

private:
    static uint32_t bucket_of(uint64_t buffer) {
        static_assert(bucket_count == 1 << 12, "bucket_of takes the top 12 bits");
        return static_cast<uint32_t>((buffer >> 6) * 0x9E3779B97F4A7C15u >> 52);
    }
    void unlink(uint32_t index);

    Entry* entries_ = nullptr;
    Bucket* buckets_ = nullptr;
    uint32_t capacity_ = 0;
    uint32_t fresh_ = 0;           // entries from here on were never used
    uint32_t free_ = graph::none;  // list of entries that were given back
    uint32_t used_ = 0;
};

template <typename Found, typename IsOver>
void TensorMap::find(uint64_t buffer, const graph::TensorRegion& region, Use use, Found&& found, IsOver&& is_over) {
    const Bucket& bucket = buckets_[bucket_of(buffer)];
    for (const Use other : {Use::write, Use::read}) {
        if (use == Use::read && other == Use::read) continue;
        for (uint32_t index = bucket.first[static_cast<uint32_t>(other)], next; index != graph::none; index = next) {
            const Entry& entry = entries_[index];
            next = entry.next;
            if (entry.buffer != buffer) continue;
            if (is_over(entry.task)) {
                unlink(index);
                continue;
            }
            if (!overlaps(entry.region, region)) continue;
            found(entry.task);
            if (use == Use::write && covers(region, entry.region)) unlink(index);
        }
    }
}

}  // namespace chiphost::orchestrator
