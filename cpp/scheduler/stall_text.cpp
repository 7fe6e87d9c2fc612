// SPDX-License-Identifier: Apache-2.0
//
// The text of a stall: what the scheduler says when no processor can make progress.
#include "scheduler.h"
#include "status/report.h"

namespace chiphost::scheduler {

using graph::none;
using graph::Shape;
using graph::Task;

namespace {

constexpr uint32_t named_max = 4;  // tasks of a kind

const char* plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

const char* place_of(Shape shape) {
    return shape == Shape::mix ? "cluster" : shape == Shape::aic ? "AIC core" : "AIV core";
}

}  // namespace

// The task is the one that the error is about.
void Scheduler::blame(const Task& task, ch_error* error) const {
    error->task = task.id;
    status_.submission = static_cast<int64_t>(task.submission);
}

void Scheduler::explain_stall(ch_error* out_error) const {
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
    } else if (grows_ && orchestrator_.explain_stay(text, sizeof text)) {
        append(out_error, ";%s", text);
    }
    for (uint32_t core = 0; core < core_count_; ++core) {
        if (cores_[core].running.number == 0) continue;
        const Task& task = tasks_[cores_[core].running.task];
        const uint32_t func_id = payload(core, cores_[core].running.number).func_id;
        append(out_error, "; core %u has not finished %s of submit #%llu", core, names_.kernel(func_id).text,
               static_cast<unsigned long long>(task.submission));
    }
    uint64_t named = 0;
    uint64_t waiting = 0;
    uint32_t first = none;  // that waits for another
    const auto explain = [&](uint32_t from) {
        if (__atomic_load_n(&tasks_[from].unfinished, __ATOMIC_ACQUIRE) == 0) return;
        for (uint32_t edge = __atomic_load_n(&tasks_[from].first_edge, __ATOMIC_ACQUIRE); edge < graph::closed;
             edge = edges_[edge].next) {
            if (first == none) first = edges_[edge].successor;
            if (++waiting > named_max) continue;
            const Task& successor = tasks_[edges_[edge].successor];
            if (out_error->task < 0) blame(successor, out_error);
            append(out_error, "; %s waits for %s", names_.task(successor).text, names_.task(tasks_[from]).text);
            ++named;
        }
    };
    for_each_task(explain);
    if (waiting > named) append(out_error, "; %llu more wait", static_cast<unsigned long long>(waiting - named));
    const uint32_t unplaced = explain_unplaced(out_error);
    uint32_t begin = grows_ ? orchestrator_.in_the_way() : none;
    const bool orchestration = begin != none;
    if (begin == none) begin = first;
    if (begin == none) begin = unplaced;
    explain_chain(orchestration, begin, out_error);
    if (const uint32_t core = busy_core(Shape::mix); out_error->core < 0 && core != none) blame_core(core, out_error);
}

void Scheduler::blame_core(uint32_t core, ch_error* error) const {
    const Dispatch& running = cores_[core].running;
    blame(tasks_[running.task], error);
    error->core = static_cast<int32_t>(core);
    error->func_id = static_cast<int32_t>(payload(core, running.number).func_id);
}

template <typename Visit>
void Scheduler::for_each_task(Visit&& visit) const {
    if (grows_) return orchestrator_.for_each_task(visit);
    for (uint32_t task = 0; task < image_.task_count; ++task) visit(task);
}

// True if the task waits for nothing but a place on the chip, at least for some of its blocks.
bool Scheduler::is_unplaced(uint32_t task) const {
    return __atomic_load_n(&tasks_[task].unfinished, __ATOMIC_ACQUIRE) != 0 &&
           __atomic_load_n(&tasks_[task].unmet, __ATOMIC_ACQUIRE) == 0 &&
           tasks_[task].next_block < tasks_[task].block_num;
}

// Names the tasks that no core is free for. Returns the first.
uint32_t Scheduler::explain_unplaced(ch_error* out_error) const {
    uint32_t first = none;
    uint64_t unplaced = 0;
    for_each_task([&](uint32_t index) {
        if (!is_unplaced(index)) return;
        if (first == none) first = index;
        if (++unplaced > named_max) return;
        const Task& task = tasks_[index];
        const uint32_t blocks = task.block_num - task.next_block;
        append(out_error, "; %u block%s of %s wait%s for a free %s", blocks, plural(blocks), names_.task(task).text,
               blocks == 1 ? "s" : "", place_of(task.shape));
    });
    if (unplaced > named_max) {
        append(out_error, "; blocks of %llu more tasks do", static_cast<unsigned long long>(unplaced - named_max));
    }
    return first;
}

// The core that runs a block of the task, or has one before it.
uint32_t Scheduler::core_of(uint32_t task) const {
    for (uint32_t core = 0; core < core_count_; ++core) {
        for (const Dispatch& dispatch : {cores_[core].running, cores_[core].waiting}) {
            if (dispatch.number != 0 && dispatch.task == task) return core;
        }
    }
    return none;
}

// A core that a block of this shape would need.
uint32_t Scheduler::busy_core(Shape shape) const {
    for (uint32_t core = 0; core < core_count_; ++core) {
        const bool fits = shape == Shape::mix || cores_[core].type == (shape == Shape::aic ? CH_AIC : CH_AIV);
        if (fits && cores_[core].running.number != 0) return core;
    }
    return none;
}

// Says who waits for whom in one chain: from the orchestration or a task to a core, which then is the error's. What
// that waits for is added by the platform, so a core is the last word of this text.
void Scheduler::explain_chain(bool orchestration, uint32_t task, ch_error* out_error) const {
    constexpr uint32_t links_max = 8;  // each is looked for among all edges
    uint32_t core = task == none ? busy_core(Shape::mix) : none;
    if (task == none && core == none) return;
    if (task == none) task = cores_[core].running.task;
    append(out_error, "; who waits for whom: %s%s", orchestration ? "the orchestration waits for " : "",
           names_.task(tasks_[task]).text);
    const char* waits = orchestration ? ", which waits" : " waits";
    for (uint32_t link = 0; (core = core_of(task)) == none; ++link) {
        if (link == links_max) return append(out_error, ", and so on");
        if (__atomic_load_n(&tasks_[task].unfinished, __ATOMIC_ACQUIRE) == 0) {
            return append(out_error, ", which has completed and is held by its scope");
        }
        if (is_unplaced(task)) {
            append(out_error, "%s for a free %s", waits, place_of(tasks_[task].shape));
            core = busy_core(tasks_[task].shape);
            if (core == none) return;
            waits = ", and so";
            break;
        }
        uint32_t before = none;
        for_each_task([&](uint32_t from) {
            if (__atomic_load_n(&tasks_[from].unfinished, __ATOMIC_ACQUIRE) == 0) return;
            for (uint32_t edge = __atomic_load_n(&tasks_[from].first_edge, __ATOMIC_ACQUIRE); edge < graph::closed;
                 edge = edges_[edge].next) {
                if (edges_[edge].successor == task && before == none) before = from;
            }
        });
        if (before == none) {
            return append(out_error, "%s for the end of its scope%s", waits,
                          orchestration ? ", which waits for the orchestration: a cycle" : "");
        }
        append(out_error, "%s for %s", waits, names_.task(tasks_[before]).text);
        waits = ", which waits";
        task = before;
    }
    append(out_error, "%s for core %u", waits, core);
    blame_core(core, out_error);
}

}  // namespace chiphost::scheduler
