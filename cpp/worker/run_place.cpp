// SPDX-License-Identifier: Apache-2.0
#include "run_place.h"

#include <stdio.h>

namespace chiphost::worker {

RunPlace RunPlace::of(const ch_run_progress& progress, const ch_callable& callable) {
    return all_of(progress, callable).front();
}

std::vector<RunPlace> RunPlace::all_of(const ch_run_progress& progress, const ch_callable& callable) {
    const uint32_t phase = __atomic_load_n(&progress.phase, __ATOMIC_ACQUIRE);
    std::vector<RunPlace> places;
    if (phase == CH_PHASE_DEVICE) {
        for (uint32_t number = 0; number < CH_MAX_SIM_THREADS; ++number) {
            const auto& lane = progress.lanes[number];
            const int64_t task = __atomic_load_n(&lane.task, __ATOMIC_ACQUIRE);
            if (task < 0) continue;
            const int32_t core = __atomic_load_n(&lane.core, __ATOMIC_RELAXED);
            const int32_t func_id = __atomic_load_n(&lane.func_id, __ATOMIC_RELAXED);
            const char* name = kernel_name(callable, func_id);
            const uint32_t submission = __atomic_load_n(&lane.submission, __ATOMIC_RELAXED);
            const std::string kernel =
                name ? "kernel `" + std::string(name) + "`" : "kernel of func_id " + std::to_string(func_id);
            places.push_back({"device",
                              kernel + " of submit #" + std::to_string(submission) + " on core " + std::to_string(core),
                              task,
                              core,
                              func_id,
                              submission,
                              number,
                              {}});
        }
    }
    if (!places.empty()) return places;
    const bool orchestrating =
        phase == CH_PHASE_ORCHESTRATION || __atomic_load_n(&progress.orchestrating, __ATOMIC_ACQUIRE) != 0;
    const char* where = orchestrating               ? "the orchestration"
                        : phase == CH_PHASE_PREPARE ? "loading the callable"
                                                    : "the device";
    return {{where, where}};
}

void RunPlace::find_code(const isolate::CodeSamples& samples) {
    for (uint32_t number = 0; number < CH_MAX_SIM_THREADS; ++number) {
        const isolate::CodeSample& sample = samples.lanes[number];
        if (__atomic_load_n(&sample.taken, __ATOMIC_ACQUIRE) == 0 || sample.depth == 0) continue;
        const bool orchestrates = sample.func_id == isolate::CodeSample::of_orchestration;
        if (task < 0 ? !orchestrates : orchestrates || number != lane) continue;
        code = orchestrates ? " at [orchestration" : " at [func_id " + std::to_string(sample.func_id);
        for (uint32_t i = 0; i < sample.depth; ++i) {
            char address[24];
            snprintf(address, sizeof address, "%s0x%llx", i == 0 ? "+" : ",",
                     static_cast<unsigned long long>(sample.at[i]));
            code += address;
        }
        code += "]";
        return;
    }
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
