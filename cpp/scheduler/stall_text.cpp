// SPDX-License-Identifier: Apache-2.0
//
// The text of a stall: what the scheduler says when no processor can make progress.
#include "scheduler.h"
#include "status/report.h"

namespace chiphost::scheduler {

using graph::Task;

// The task is the one that the error is about.
void Scheduler::blame(const Task& task, ch_error* error) const {
    error->task = task.id;
    status_.submission = static_cast<int64_t>(task.submission);
}

void Scheduler::explain_stall(ch_error* out_error) const {
    constexpr uint64_t named_max = 4;
    const bool all_known = !grows_ || task_count() != graph::unknown_count;
    report(out_error, CH_STALLED, "device", "%llu of %llu tasks%s completed",
           static_cast<unsigned long long>(completed()),
           static_cast<unsigned long long>(all_known ? task_count() : orchestrator_.submitted()),
           all_known ? "" : " so far");
    bool running = false;
    for (uint32_t core = 0; core < core_count_; ++core) running = running || cores_[core].running.number != 0;
    char text[1024];
    if (const ch_code code = grows_ ? orchestrator_.explain_wait(text, sizeof text) : CH_OK) {
        // A kernel that does not finish is the cause, whatever the orchestration waits for.
        if (!running) out_error->code = code;
        append(out_error, ";%s", text);
    }
    for (uint32_t core = 0; core < core_count_; ++core) {
        if (cores_[core].running.number == 0) continue;
        const Task& task = tasks_[cores_[core].running.task];
        const uint32_t func_id = payload(core, cores_[core].running.number).func_id;
        if (out_error->task < 0) {
            blame(task, out_error);
            out_error->core = static_cast<int32_t>(core);
            out_error->func_id = static_cast<int32_t>(func_id);
        }
        append(out_error, "; core %u has not finished %s of submit #%llu", core, names_.kernel(func_id).text,
               static_cast<unsigned long long>(task.submission));
    }
    uint64_t named = 0;
    uint64_t waiting = 0;
    const auto explain = [&](uint32_t from) {
        if (__atomic_load_n(&tasks_[from].unfinished, __ATOMIC_ACQUIRE) == 0) return;
        for (uint32_t edge = __atomic_load_n(&tasks_[from].first_edge, __ATOMIC_ACQUIRE); edge < graph::closed;
             edge = edges_[edge].next) {
            if (++waiting > named_max) continue;
            const Task& successor = tasks_[edges_[edge].successor];
            if (out_error->task < 0) blame(successor, out_error);
            append(out_error, "; %s waits for %s", names_.task(successor).text, names_.task(tasks_[from]).text);
            ++named;
        }
    };
    if (grows_) {
        orchestrator_.for_each_task(explain);
    } else {
        for (uint32_t from = 0; from < image_.task_count; ++from) explain(from);
    }
    if (waiting > named) append(out_error, "; %llu more wait", static_cast<unsigned long long>(waiting - named));
}

}  // namespace chiphost::scheduler
