// SPDX-License-Identifier: Apache-2.0
//
// The orchestrator's scopes: which are open, and what their end gives back.
#include "orchestrator.h"

namespace chiphost::orchestrator {

using graph::none;

Status Orchestrator::scope_begin(int32_t mode) {
    if (!breathe()) return CH_INTERRUPTED;
    if (depth_ >= CH_MAX_SCOPE_DEPTH) {
        return refuse(CH_TASK_INVALID, "scope_begin", "wanted scopes at most %d deep", CH_MAX_SCOPE_DEPTH);
    }
    if (mode != CH_SCOPE_AUTO && mode != CH_SCOPE_MANUAL) {
        return refuse(CH_TASK_INVALID, "scope_begin", "wanted mode %d (auto) or %d (manual), found %d", CH_SCOPE_AUTO,
                      CH_SCOPE_MANUAL, mode);
    }
    ch_scope_mode effective = mode == CH_SCOPE_AUTO ? CH_SCOPE_AUTO : CH_SCOPE_MANUAL;
    if (!infers_) {
        effective = CH_SCOPE_MANUAL;
    } else if (effective == CH_SCOPE_AUTO && scope().mode == CH_SCOPE_MANUAL) {
        return refuse(CH_TASK_INVALID, "scope_begin",
                      "an automatic scope inside a manual one: its edges could not be inferred");
    }
    scopes_[depth_++] = {++scope_serial_, effective, none, none};
    return CH_OK;
}

Status Orchestrator::scope_end() {
    if (!breathe()) return CH_INTERRUPTED;
    if (depth_ == 1 && in_entry_) {
        return refuse(CH_TASK_INVALID, "scope_end", "there is no open scope");
    }
    const OpenScope ended = scope();
    if (ended.mode == CH_SCOPE_MANUAL) {
        for (uint32_t slot = ended.first; slot != none; slot = slots_[slot].next_in_scope) publish(slot, 0);
    }
    const uint32_t ring = ring_of_scope();
    --depth_;
    for (uint32_t slot = ended.first, next; slot != none; slot = next) {
        next = slots_[slot].next_in_scope;
        slots_[slot].scope_ended = 1;
        release(slot);
    }
    room_.ring(ring).scope_ended(ended.serial);
    if (observer_) observer_->scope_ended(observer_->self, ended.serial);
    room_.reclaim(ring);
    return CH_OK;
}

}  // namespace chiphost::orchestrator
