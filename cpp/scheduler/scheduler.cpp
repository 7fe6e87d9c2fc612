// SPDX-License-Identifier: Apache-2.0
#include "scheduler.h"

#include <initializer_list>

#include "chiphost/hand_over.h"
#include "status/report.h"

namespace chiphost::scheduler {

using namespace core_protocol;

using graph::Shape;
using graph::Task;
using platform::Register;

namespace {

template <typename T>
T* at(uint64_t address) {
    return reinterpret_cast<T*>(address);
}

// Numbers alternate between even and odd, so that two dispatches in flight never share a payload.
uint32_t next_number(uint32_t number) {
    static_assert(dispatch_max % 2 == 1, "the number after the last odd one must be even");
    return number == dispatch_max ? 2 : number + 1;
}

}  // namespace

Scheduler::Scheduler(const ch_launch& launch, void* const* ports, orchestrator::OrchestrationLibraries* libraries)
    : launch_(launch),
      image_(*at<graph::Image>(launch.graph)),
      status_(*at<ch_launch_status>(launch.status)),
      tasks_(at<Task>(image_.tasks)),
      edges_(at<graph::Edge>(image_.edges)),
      args_(at<const uint64_t>(image_.args)),
      kernels_(at<const uint64_t>(launch.kernels)),
      names_(at<const graph::KernelName>(launch.kernel_names), launch.kernel_count),
      payloads_(at<Payload>(launch.payloads)),
      handshakes_(at<Handshake>(launch.handshakes), payloads_),
      core_count_(launch.block_dim * 3),
      schedulers_(image_.orchestration != 0 && launch.aicpu_thread_count > 1 ? launch.aicpu_thread_count - 1
                                                                             : launch.aicpu_thread_count),
      grows_(image_.orchestration != 0),
      choices_(at<const graph::Choices>(launch.choices)),
      queues_{ReadyQueue(&image_.queues[0]), ReadyQueue(&image_.queues[1]), ReadyQueue(&image_.queues[2])} {
    for (uint32_t i = 0; i < launch.aicpu_thread_count; ++i) {
        Thread& thread = threads_[i];
        thread.port = static_cast<platform::AicpuPort*>(ports[i]);
        thread.first_cluster = i;
        for (uint32_t cluster = i; i < schedulers_ && cluster < launch.block_dim; cluster += schedulers_) {
            const uint32_t aiv = launch.block_dim + 2 * cluster;
            for (uint32_t core : {cluster, aiv, aiv + 1}) thread.cores.insert(core);
            cores_[aiv].type = cores_[aiv + 1].type = CH_AIV;
            cores_[aiv + 1].sub_block_id = 1;
        }
    }
    if (launch.format != CH_LAUNCH_FORMAT || image_.format != graph::image_format) {
        ch_error error;
        report(&error, CH_ABI_MISMATCH, "device",
               "wanted a launch of format %d and a graph of format %u, found %u and %u: the host runtime and the AICPU "
               "program are of different builds",
               CH_LAUNCH_FORMAT, graph::image_format, launch.format, image_.format);
        fail(error, -1);
    }
    if (grows_) {
        Thread& thread = threads_[launch.aicpu_thread_count - 1];
        thread.orchestrates = true;
        orchestrator_.begin(&image_, libraries, this, thread.port, launch.block_dim,
                            at<const graph::RunObserver>(launch.observer), names_);
    }
}

ch_step Scheduler::step(uint32_t thread_index) {
    Thread& thread = threads_[thread_index];
    switch (thread.phase) {
        case Phase::announce:
            handshakes_.announce(thread.cores);
            thread.phase = Phase::open_registers;
            return CH_STEP_WORKED;
        case Phase::open_registers:
            if (!handshakes_.all_reported(thread.cores)) return CH_STEP_POLL;
            open_registers(thread);
            thread.phase = Phase::await_cores;
            return CH_STEP_WORKED;
        case Phase::await_cores:
            if (!handshakes_.all_wait(thread.cores)) return CH_STEP_POLL;
            thread.phase = Phase::run;
            return CH_STEP_WORKED;
        case Phase::run:
            return run(thread);
        case Phase::stop:
            stop(thread);
            thread.phase = Phase::await_exit;
            return CH_STEP_WORKED;
        case Phase::await_exit:
            if (!cores_exited(thread)) return CH_STEP_IDLE;
            thread.phase = Phase::done;
            return CH_STEP_DONE;
        case Phase::done:
            return CH_STEP_DONE;
    }
    return CH_STEP_DONE;
}

// Lets the cores in that say what they can be; the others are sent away, and the launch has failed.
void Scheduler::open_registers(Thread& thread) {
    thread.cores.for_each([&](uint32_t index) {
        // The core may write them again: what is checked is what is used.
        const uint32_t physical = handshakes_.of(index).physical_core;
        const uint32_t type = handshakes_.of(index).core_type;
        Core& core = cores_[index];
        if (physical >= platform::chip.physical_cores || type != core.type) {
            fail_handshake(index, physical, type);
            thread.cores.erase(index);
            handshakes_.send_away(index);
            return;
        }
        core.physical = physical;
        core.cond = cond_idle;
        handshakes_.let_in(index, physical, thread.port);
        thread.idle[core.type].insert(index);
    });
}

// Submits tasks. A thread that has clusters schedules besides.
ch_step Scheduler::orchestrate(Thread& thread) {
    if (!orchestrator_.can_go_on()) return CH_STEP_IDLE;
    const bool returned = orchestrator_.go_on();
    if (returned) thread.orchestrates = false;
    if (thread.shared || returned || stopped()) {
        // There is something new to start, or to stop for.
        thread.shared = false;
        platform::signal_threads(thread.port);
    }
    return orchestrator_.waiting() && !returned ? CH_STEP_IDLE : CH_STEP_WORKED;
}

ch_step Scheduler::run(Thread& thread) {
    ch_step orchestrated = CH_STEP_IDLE;
    if (thread.orchestrates) {
        orchestrated = orchestrate(thread);
        if (thread.cores.empty()) return thread.orchestrates ? orchestrated : CH_STEP_DONE;
    }
    const uint32_t finished = collect(thread);
    if (finished) {
        thread.completed.store(thread.completed.load(std::memory_order_relaxed) + finished, std::memory_order_release);
    }
    if (choices_) {
        if (!stopped()) dispatch_chosen(thread);
    } else if (!stopped()) {
        dispatch_mix(thread);
        dispatch_single(thread, Shape::aic);
        dispatch_single(thread, Shape::aiv);
    }
    // The thread that completes the last task has nothing left to wait for, so it is enough to look then.
    if (thread.busy.empty() && all_completed(thread)) stopping_.store(true, std::memory_order_release);
    if (stopping_.load(std::memory_order_acquire)) {
        thread.phase = Phase::stop;
        platform::signal_threads(thread.port);
        return CH_STEP_WORKED;
    }
    share_ready(thread);
    if (stopped()) return CH_STEP_WORKED;  // a queue was full
    if (thread.shared) {
        thread.shared = false;
        platform::signal_threads(thread.port);
    }
    if (grows_ && finished && orchestrator_.waiting()) {
        platform::signal_threads(thread.port);
        if (thread.orchestrates) return CH_STEP_WORKED;
    }
    // All that could be started has been: only an answer of a core, or another thread, can bring more.
    return orchestrated;
}

// Counts the tasks that are complete, on all threads.
uint64_t Scheduler::completed() const {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < schedulers_; ++i) {
        sum += threads_[i].completed.load(std::memory_order_seq_cst);
    }
    return sum;
}

// Two threads may complete the last two tasks at the same time; at least one of them must see both. So the own number
// is written once more, in the one order that sequentially consistent operations have.
bool Scheduler::all_completed(Thread& thread) const {
    thread.completed.fetch_add(0, std::memory_order_seq_cst);
    return completed() == task_count();
}

// Counts one down. Returns whether that made it 0. A counter that is 1 belongs to whoever is to count it down, so the
// costly read-modify-write is for larger ones only.
static bool count_down(uint32_t* counter) {
    if (__atomic_load_n(counter, __ATOMIC_ACQUIRE) == 1) {
        __atomic_store_n(counter, 0, __ATOMIC_RELEASE);
        return true;
    }
    return __atomic_sub_fetch(counter, 1, __ATOMIC_ACQ_REL) == 0;
}

// Reads the busy cores' answers. Returns the number of tasks that completed.
uint32_t Scheduler::collect(Thread& thread) {
    uint32_t completed = 0;
    thread.busy.for_each([&](uint32_t index) {
        Core& core = cores_[index];
        const uint32_t cond = platform::read_register(thread.port, core.physical, Register::cond);
        if (cond == core.cond) return;
        core.cond = cond;
        const uint32_t number = cond & ~cond_finish_bit;
        const bool finished = (cond & cond_finish_bit) != 0;
        if (core.waiting.number != 0 && number == core.waiting.number) {
            // An answer for the later dispatch: the earlier one has finished.
            completed += finish(thread, index, core.running);
            core.running = core.waiting;
            core.waiting = Dispatch{};
        }
        if (number != core.running.number) return;  // an answer from before this dispatch
        if (!finished) {
            if (core.waiting.number == 0) thread.half[core.type].insert(index);
            return;
        }
        completed += finish(thread, index, core.running);
        core.running = core.waiting;
        core.waiting = Dispatch{};
        thread.half[core.type].erase(index);
        if (core.running.number == 0) {
            thread.busy.erase(index);
            thread.idle[core.type].insert(index);
        }
    });
    return completed;
}

// One dispatch of a task has ended. Returns 1 if the task is complete.
uint32_t Scheduler::finish(Thread& thread, uint32_t core, Dispatch& dispatch) {
    const Payload& done = payload(core, dispatch.number);
    platform::invalidate_cache(&done.status, sizeof done.status);
    if (done.status != KernelStatus::ok) {
        fail_kernel(core, done);
        return 0;  // what waits for it must not run
    }
    const uint32_t index = dispatch.task;
    dispatch = Dispatch{};
    Task& task = tasks_[index];
    if (!count_down(&task.unfinished)) return 0;
    uint32_t edge = grows_ ? __atomic_exchange_n(&task.first_edge, graph::closed, __ATOMIC_ACQ_REL) : task.first_edge;
    for (uint32_t next = graph::none; edge != graph::none; edge = next) {
        // Once counted down, the successor may complete and its edges be another task's.
        next = edges_[edge].next;
        const uint32_t successor = edges_[edge].successor;
        if (count_down(&tasks_[successor].unmet)) add_ready(thread, successor);
    }
    if (grows_) orchestrator_.completed(index);
    return 1;
}

// From the orchestrator.
void Scheduler::make_ready(uint32_t task) {
    give_back(threads_[launch_.aicpu_thread_count - 1], tasks_[task].shape, task);
}

// On platforms whose strands cannot pause: what the orchestrator's thread would do between two steps. If it has
// clusters, it looks after them; if not, others do, and have to know what was submitted.
void Scheduler::work() {
    Thread& thread = threads_[launch_.aicpu_thread_count - 1];
    if (thread.cores.empty()) {
        if (!thread.shared && !stopped()) return;
        thread.shared = false;
        platform::signal_threads(thread.port);
        return;
    }
    thread.orchestrates = false;
    run(thread);
    thread.orchestrates = true;
}

void Scheduler::add_ready(Thread& thread, uint32_t task) {
    const Shape shape = tasks_[task].shape;
    if (!thread.ready.push(shape, task)) give_back(thread, shape, task);
}

uint32_t Scheduler::take(Thread& thread, Shape shape) {
    const uint32_t task = thread.ready.pop(shape);
    return task != graph::none ? task : queue(shape).pop();
}

void Scheduler::give_back(Thread& thread, Shape shape, uint32_t task) {
    thread.shared = true;
    if (!queue(shape).push(task)) fail_queue(shape, task);
}

// Shares with the other threads what this one could not start.
void Scheduler::share_ready(Thread& thread) {
    thread.ready.take_all([&](Shape shape, uint32_t task) { give_back(thread, shape, task); });
}

// Nothing is left of what the cluster's last task handed over.
static void reset_hand_over(HandOverArea& area) {
    for (HandOverQueue* queue : {&area.to_aiv[0], &area.to_aiv[1], &area.to_aic[0], &area.to_aic[1]}) {
        queue->pushed = queue->popped = 0;
        platform::flush_cache(queue, offsetof(HandOverQueue, tiles));
    }
}

// Tasks for several cores of one cluster.
void Scheduler::dispatch_mix(Thread& thread) {
    if (thread.ready.empty(Shape::mix) && queue(Shape::mix).size() == 0) return;
    for (uint32_t cluster = thread.first_cluster; cluster < launch_.block_dim; cluster += schedulers_) {
        if (!cluster_is_idle(thread, cluster)) continue;
        const uint32_t index = take(thread, Shape::mix);
        if (index == graph::none) return;
        start_cluster(thread, cluster, index);
        if (tasks_[index].next_block < tasks_[index].block_num) give_back(thread, Shape::mix, index);
    }
}

bool Scheduler::cluster_is_idle(const Thread& thread, uint32_t cluster) const {
    const uint32_t aiv = launch_.block_dim + 2 * cluster;
    return thread.idle[CH_AIC].contains(cluster) && thread.idle[CH_AIV].contains(aiv) &&
           thread.idle[CH_AIV].contains(aiv + 1);
}

// Starts the next block of a task for several cores.
void Scheduler::start_cluster(Thread& thread, uint32_t cluster, uint32_t index) {
    const uint32_t aiv = launch_.block_dim + 2 * cluster;
    const uint32_t cores[3] = {cluster, aiv, aiv + 1};
    Task& task = tasks_[index];
    const uint32_t block = task.next_block++;
    if (launch_.hand_over != 0) reset_hand_over(at<HandOverArea>(launch_.hand_over)[cluster]);
    for (uint32_t slot = 0; slot < 3; ++slot) {
        if (!(task.cores & (1u << slot))) continue;
        thread.idle[cores_[cores[slot]].type].erase(cores[slot]);
        start(thread, cores[slot], cores_[cores[slot]].running, index, block, slot);
    }
}

// Tasks for one core.
void Scheduler::dispatch_single(Thread& thread, Shape shape) {
    const uint32_t type = shape == Shape::aic ? CH_AIC : CH_AIV;
    const uint32_t kernel_slot = shape == Shape::aic ? 0 : 1;
    const auto start_on = [&](CoreSet& candidates, bool second) {
        while (!candidates.empty()) {
            const uint32_t index = take(thread, shape);
            if (index == graph::none) return;
            Task& task = tasks_[index];
            bool more = true;
            while (more && !candidates.empty()) {
                const uint32_t core = candidates.first();
                candidates.erase(core);
                const uint32_t block = task.next_block++;
                more = task.next_block < task.block_num;
                start(thread, core, second ? cores_[core].waiting : cores_[core].running, index, block, kernel_slot);
            }
            if (more) give_back(thread, shape, index);
        }
    };
    start_on(thread.idle[type], false);
    // A second dispatch hides the way to the core and back, but waits behind the first. So only when there is more work
    // than all cores of the type can start on.
    if (!thread.half[type].empty()) {
        const uint32_t cores_of_type = type == CH_AIC ? launch_.block_dim : 2 * launch_.block_dim;
        if (queue(shape).size() >= cores_of_type) start_on(thread.half[type], true);
    }
}

void Scheduler::start(Thread& thread, uint32_t core_index, Dispatch& slot, uint32_t task_index, uint32_t block,
                      uint32_t kernel_slot) {
    const Task& task = tasks_[task_index];
    Core& core = cores_[core_index];
    const uint32_t number = core.last_number = next_number(core.last_number);
    Payload& payload = this->payload(core_index, number);
    const uint32_t func_id = task.func_id[kernel_slot];
    payload.kernel = kernels_[func_id];
    payload.status = KernelStatus::ok;
    payload.func_id = static_cast<uint16_t>(func_id);
    payload.cores = task.cores;
    payload.submission = static_cast<uint32_t>(task.submission);
    payload.context = {static_cast<int32_t>(block),
                       static_cast<int32_t>(task.block_num),
                       core.sub_block_id,
                       core.type,
                       static_cast<int32_t>(core_index),
                       0,
                       0,
                       task.id};
    if (task.shape == Shape::mix && launch_.hand_over != 0) {
        payload.context.hand_over =
            launch_.hand_over + cluster_of(core_index, launch_.block_dim) * sizeof(HandOverArea);
    }
    payload.context_address = reinterpret_cast<uint64_t>(&payload.context);
    const uint64_t* from = args_ + task.first_arg;
    for (uint32_t i = 0; i < task.arg_count; ++i) payload.args[i] = from[i];
    platform::flush_cache(&payload, offsetof(Payload, args) + task.arg_count * sizeof(uint64_t));
    slot = Dispatch{number, task_index};
    thread.busy.insert(core_index);
    platform::write_register(thread.port, core.physical, Register::data_main_base, number);
}

void Scheduler::stop(Thread& thread) {
    thread.cores.for_each([&](uint32_t core) { handshakes_.tell_to_exit(core, cores_[core].physical, thread.port); });
}

bool Scheduler::cores_exited(Thread& thread) {
    bool all = true;
    thread.cores.for_each([&](uint32_t core) {
        const bool exited = Handshakes::has_exited(cores_[core].physical, thread.port);
        all = all && exited;
    });
    if (!all) return false;
    thread.cores.for_each([&](uint32_t core) { Handshakes::close_registers(cores_[core].physical, thread.port); });
    __atomic_store_n(&status_.tasks_done, completed(), __ATOMIC_RELEASE);
    return true;
}

bool Scheduler::claim_status(int32_t code) {
    int32_t ok = CH_OK;
    return __atomic_compare_exchange_n(&status_.error.code, &ok, code, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

// The first fault is the one reported.
void Scheduler::fail(const ch_error& error, int64_t submission) {
    if (claim_status(error.code)) {
        status_.submission = submission;
        ch_error& to = status_.error;
        to.detail_code = error.detail_code;
        to.task = error.task;
        to.core = error.core;
        to.func_id = error.func_id;
        copy_text(to.where, sizeof to.where, error.where);
        copy_text(to.message, sizeof to.message, error.message);
        __atomic_store_n(&status_.complete, 1, __ATOMIC_RELEASE);
    }
    stopping_.store(true, std::memory_order_release);
}

void Scheduler::fail_handshake(uint32_t index, uint32_t physical, uint32_t type) {
    ch_error error;
    report(&error, CH_CORE_HANDSHAKE_FAILED, "device",
           "wanted a physical core below %u of type %u, the core says %u of type %u", platform::chip.physical_cores,
           cores_[index].type, physical, type);
    error.core = static_cast<int32_t>(index);
    fail(error, -1);
}

// Says where the orchestration has submitted a task.
void Scheduler::add_place(const Task& task, ch_error* error) {
    const graph::NameText place = graph::code_text(task.submitted_from);
    if (place.text[0] != '\0') append(error, "; submitted%s", place.text);
}

void Scheduler::fail_kernel(uint32_t core, const Payload& payload) {
    platform::invalidate_cache(&payload, sizeof payload);
    ch_error error;
    const graph::Task& task = tasks_[cores_[core].running.task];
    report(&error, CH_KERNEL_THREW, "device", "%s of submit #%llu on core %u threw: %s",
           names_.kernel(payload.func_id).text, static_cast<unsigned long long>(task.submission), core,
           payload.fault_text);
    add_place(task, &error);
    error.task = payload.context.task;
    error.core = static_cast<int32_t>(core);
    error.func_id = payload.func_id;
    fail(error, static_cast<int64_t>(task.submission));
}

void Scheduler::fail_queue(Shape shape, uint32_t task) {
    ch_error error;
    report(&error, CH_INTERNAL, "device", "ready queue %u is full", static_cast<unsigned>(shape));
    error.task = tasks_[task].id;
    fail(error, static_cast<int64_t>(tasks_[task].submission));
}

void Scheduler::end() {
    if (!grows_) return;
    stopping_.store(true, std::memory_order_release);
    while (!orchestrator_.go_on()) {
    }
}

}  // namespace chiphost::scheduler
