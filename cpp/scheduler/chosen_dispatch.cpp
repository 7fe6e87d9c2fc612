// SPDX-License-Identifier: Apache-2.0
//
// The scheduler's part in an order that somebody chooses (graph/choices.h): asks which task to start, and on which
// core.
#include "scheduler.h"

namespace chiphost::scheduler {

using graph::Choice;
using graph::Shape;
using graph::Task;

// Finds the tasks that could be started now, in the order in which they would be.
uint32_t Scheduler::find_startable(Thread& thread, Startable* out_tasks) {
    uint32_t found = 0;
    const auto add_all = [&](Shape shape, bool second) {
        const uint32_t own = thread.ready.size(shape);
        const uint32_t all = own + queue(shape).size();
        for (uint32_t others = 0; others < all && found < graph::options_max - 1; ++others) {
            const uint32_t task = others < own ? thread.ready.peek(shape, others) : queue(shape).peek(others - own);
            out_tasks[found++] = {shape, second, others, task};
        }
    };
    for (uint32_t cluster = thread.first_cluster; cluster < launch_.block_dim; cluster += schedulers_) {
        if (!cluster_is_idle(thread, cluster)) continue;
        add_all(Shape::mix, false);
        break;
    }
    for (const Shape shape : {Shape::aic, Shape::aiv}) {
        const uint32_t type = shape == Shape::aic ? CH_AIC : CH_AIV;
        const uint32_t cores_of_type = type == CH_AIC ? launch_.block_dim : 2 * launch_.block_dim;
        if (!thread.idle[type].empty()) {
            add_all(shape, false);
        } else if (!thread.half[type].empty() && queue(shape).size() >= cores_of_type) {
            add_all(shape, true);
        }
    }
    return found;
}

void Scheduler::dispatch_chosen(Thread& thread) {
    Startable startable[graph::options_max];
    uint64_t options[graph::options_max];
    while (const uint32_t count = find_startable(thread, startable)) {
        for (uint32_t i = 0; i < count; ++i) options[i] = reinterpret_cast<uint64_t>(&tasks_[startable[i].task]);
        options[count] = graph::later;
        const uint32_t chosen = choose(Choice::task, options, count + 1);
        if (chosen == count) return;
        start_chosen(thread, startable[chosen]);
    }
}

// Takes a task from where it waits.
uint32_t Scheduler::take(Thread& thread, const Startable& startable) {
    const uint32_t own = thread.ready.size(startable.shape);
    return startable.others < own ? thread.ready.pop(startable.shape, startable.others)
                                  : queue(startable.shape).pop(startable.others - own);
}

// Starts blocks of a task on cores that are chosen, as many as there are cores. The rest stays where it is taken from
// first.
void Scheduler::start_chosen(Thread& thread, const Startable& startable) {
    const uint32_t index = take(thread, startable);
    Task& task = tasks_[index];
    if (startable.shape == Shape::mix) {
        start_mix_chosen(thread, index);
    } else {
        const bool aic = startable.shape == Shape::aic;
        CoreSet& candidates = (startable.second ? thread.half : thread.idle)[aic ? CH_AIC : CH_AIV];
        while (task.next_block < task.block_num && !candidates.empty()) {
            uint64_t options[CoreSet::capacity];
            uint32_t count = 0;
            candidates.for_each([&](uint32_t core) { options[count++] = core; });
            const auto core = static_cast<uint32_t>(options[choose(Choice::core, options, count)]);
            candidates.erase(core);
            const uint32_t block = task.next_block++;
            Core& chosen = cores_[core];
            start(thread, core, startable.second ? chosen.waiting : chosen.running, index, block, aic ? 0 : 1);
        }
    }
    if (task.next_block < task.block_num) add_ready(thread, index);
}

void Scheduler::start_mix_chosen(Thread& thread, uint32_t index) {
    const Task& task = tasks_[index];
    while (task.next_block < task.block_num) {
        uint64_t options[CoreSet::capacity];
        uint32_t count = 0;
        for (uint32_t cluster = thread.first_cluster; cluster < launch_.block_dim; cluster += schedulers_) {
            if (cluster_is_idle(thread, cluster)) options[count++] = cluster;
        }
        if (count == 0) return;
        start_cluster(thread, static_cast<uint32_t>(options[choose(Choice::core, options, count)]), index);
    }
}

}  // namespace chiphost::scheduler
