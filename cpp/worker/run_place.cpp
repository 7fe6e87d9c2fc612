// SPDX-License-Identifier: Apache-2.0
#include "run_place.h"

namespace chiphost::worker {

RunPlace RunPlace::of(const ch_run_progress& progress, const ch_callable& callable) {
    const uint32_t phase = __atomic_load_n(&progress.phase, __ATOMIC_ACQUIRE);
    if (phase == CH_PHASE_DEVICE) {
        for (const auto& lane : progress.lanes) {
            const int64_t task = __atomic_load_n(&lane.task, __ATOMIC_ACQUIRE);
            if (task < 0) continue;
            const int32_t core = __atomic_load_n(&lane.core, __ATOMIC_RELAXED);
            const int32_t func_id = __atomic_load_n(&lane.func_id, __ATOMIC_RELAXED);
            const char* name = kernel_name(callable, func_id);
            const uint32_t submission = __atomic_load_n(&lane.submission, __ATOMIC_RELAXED);
            const std::string kernel =
                name ? "kernel `" + std::string(name) + "`" : "kernel of func_id " + std::to_string(func_id);
            return {"device", kernel + " of submit #" + std::to_string(submission) + " on core " + std::to_string(core),
                    task,     core,
                    func_id,  submission};
        }
    }
    const bool orchestrating =
        phase == CH_PHASE_ORCHESTRATION || __atomic_load_n(&progress.orchestrating, __ATOMIC_ACQUIRE) != 0;
    const char* where = orchestrating               ? "the orchestration"
                        : phase == CH_PHASE_PREPARE ? "loading the callable"
                                                    : "the device";
    return {where, where};
}

void begin_progress(ch_run_progress* out_progress) {
    *out_progress = {};
    for (auto& lane : out_progress->lanes) lane.task = -1;
}

void RunPlace::blame(ch_error* error) const {
    error->task = task;
    error->core = core;
    error->func_id = func_id;
}

}  // namespace chiphost::worker
