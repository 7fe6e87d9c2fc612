// SPDX-License-Identifier: Apache-2.0
//
// The memory of the tensor map (orchestrator/tensor_map.h): the host reserves it, the orchestrator fills it.
#pragma once

#include <stdint.h>

#include "tensor_region.h"

namespace chiphost::graph {

enum class TensorUse : uint8_t { read, write };

// One use of a tensor by a task. The content is undefined until the orchestrator has written it.
struct TensorMapEntry {
    TensorRegion region;
    uint64_t buffer;
    uint32_t task;      // its slot
    uint32_t previous;  // in the bucket's list for this kind of use; none: first
    uint32_t next;
    uint32_t next_of_task;  // the task's own list; in a free entry the next free one
    TensorUse use;
};

constexpr uint32_t tensor_map_bucket_count = 4096;
struct TensorMapBucket {
    uint32_t first[2];  // by use, newest first; none: empty
};

}  // namespace chiphost::graph
