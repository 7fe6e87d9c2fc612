// SPDX-License-Identifier: Apache-2.0
//
// Makes room in the rings for the next task: by giving back what nobody holds, by waiting, or not at all.
#pragma once

#include <stdint.h>

#include "chiphost/abi/error.h"
#include "graph/kernel_names.h"
#include "graph/orchestration.h"
#include "producer_list.h"
#include "status/status.h"
#include "strand.h"
#include "task_ring.h"
#include "tensor_map.h"

namespace chiphost::orchestrator {

// Everything that a task takes.
struct Need {
    Room room;
    uint32_t uses = 0;  // entries of the tensor map
};

// The four rings of one launch, and the rule when a task is refused. Used by the orchestrator's thread only.
//
// A task is refused if what open scopes keep leaves no room for it, and waits otherwise. For slots, tensors and
// arguments that depends on the program alone (TaskRing::always_missing). An edge from a task that has completed costs
// nothing, so a task that lacks room for edges waits for its producers as well, and is refused only if those that
// cannot complete before it, or whose tensors it uses, are too many.
class RingRoom {
public:
    // Everything is borrowed until the launch ends.
    void begin(graph::Orchestration* plan, const graph::Image& image, TensorMap* map, Strand* strand,
               graph::KernelNames names);

    TaskRing& ring(uint32_t number) { return rings_[number]; }
    const TaskRing& ring(uint32_t number) const { return rings_[number]; }

    // Waits for room in a ring. Completed producers are dropped, and the need for their edges with them, if room for
    // edges is short. `where` names the call. CH_OK; CH_INTERRUPTED, the run is over; or a code with *out_error filled.
    Status make(uint32_t ring, const char* where, Need* need, ProducerList* producers, ch_error* out_error);

    // Gives back what the oldest tasks of a ring have, as far as nobody holds them.
    void reclaim(uint32_t ring);

    // True if the task has completed: nobody has to wait for it.
    bool is_over(uint32_t slot) const {
        return __atomic_load_n(&tasks_[slot].first_edge, __ATOMIC_ACQUIRE) == graph::closed;
    }

    // Returns the slot of a task that has one; none: it is gone, or there was never such a task.
    uint32_t slot_of(int64_t id) const;
    bool was_submitted(int64_t id) const;

private:
    Missing missing(uint32_t ring, const Need& need) const;
    bool oldest_is_free(uint32_t ring) const;
    Status refuse(uint32_t ring, const char* where, Missing what, const Need& need, ch_error* out_error) const;
    Status describe(uint32_t ring, const char* where, Missing what, const Need& need, ch_error* out_error) const;
    uint32_t first_kept(uint32_t ring) const;

    const graph::Orchestration* plan_ = nullptr;
    const graph::Task* tasks_ = nullptr;
    graph::Slot* slots_ = nullptr;
    TensorMap* map_ = nullptr;
    Strand* strand_ = nullptr;
    graph::KernelNames names_;
    TaskRing rings_[graph::ring_count];
};

}  // namespace chiphost::orchestrator
