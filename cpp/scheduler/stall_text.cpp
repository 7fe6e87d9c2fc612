// SPDX-License-Identifier: Apache-2.0
//
// The text of a stall: what the scheduler says when no processor can make progress.
#include "scheduler.h"
#include "status/report.h"

namespace chiphost::scheduler {

void Scheduler::explain_stall(ch_error* out_error) const {
    constexpr int named_max = 4;
    const bool all_known = !grows_ || task_count() != graph::unknown_count;
    report(out_error, CH_STALLED, "device", "%llu of %llu tasks%s completed",
           static_cast<unsigned long long>(completed()),
           static_cast<unsigned long long>(all_known ? task_count() : orchestrator_.submitted()),
           all_known ? "" : " so far");
    bool running = false;
    for (uint32_t core = 0; core < core_count_; ++core) running = running || cores_[core].running.number != 0;
    char text[128];
    if (const ch_code code = grows_ ? orchestrator_.explain_wait(text, sizeof text) : CH_OK) {
        // A kernel that does not finish is the cause, whatever the orchestration waits for.
        if (!running) out_error->code = code;
        append(out_error, ";%s", text);
    }
    for (uint32_t core = 0; core < core_count_; ++core) {
        if (cores_[core].running.number == 0) continue;
        const int64_t id = tasks_[cores_[core].running.task].id;
        if (out_error->task < 0) {
            out_error->task = id;
            out_error->core = static_cast<int32_t>(core);
        }
        append(out_error, "; core %u has not finished task %lld", core, static_cast<long long>(id));
    }
    int named = 0;
    const auto explain = [&](uint32_t from) {
        if (named >= named_max || __atomic_load_n(&tasks_[from].unfinished, __ATOMIC_ACQUIRE) == 0) return;
        for (uint32_t edge = __atomic_load_n(&tasks_[from].first_edge, __ATOMIC_ACQUIRE);
             edge < graph::closed && named < named_max; edge = edges_[edge].next) {
            const int64_t id = tasks_[edges_[edge].successor].id;
            if (out_error->task < 0) out_error->task = id;
            append(out_error, "; task %lld waits for task %lld", static_cast<long long>(id),
                   static_cast<long long>(tasks_[from].id));
            ++named;
        }
    };
    if (grows_) {
        orchestrator_.for_each_task(explain);
    } else {
        for (uint32_t from = 0; from < image_.task_count; ++from) explain(from);
    }
}

}  // namespace chiphost::scheduler
