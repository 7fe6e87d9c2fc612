// SPDX-License-Identifier: Apache-2.0
//
// The scheduler is the AICPU program's heart: it takes tasks whose predecessors have completed and runs them on the
// cores.
#pragma once

#include <stdint.h>

#include <atomic>

#include "chiphost/abi/device_program.h"
#include "chiphost/platform/aicpu.h"
#include "core_set.h"
#include "graph/choices.h"
#include "graph/core_protocol.h"
#include "graph/task.h"
#include "handshakes.h"
#include "orchestrator/orchestrator.h"
#include "ready_lists.h"
#include "ready_queue.h"

namespace chiphost::scheduler {

// One launch. Every AICPU thread steps its own share: clusters are dealt to threads in turn, and a thread alone talks
// to its clusters' cores. Threads share the ready queues and the tasks' counters, all of them atomic. Nothing outlives
// the launch and nothing is global.
//
// Where the graph is built while it runs, the last thread runs the orchestration and has no clusters, unless it is the
// only one.
class Scheduler final : private orchestrator::SchedulerInterface {
public:
    // ports[i] is thread i's access to the chip. Everything is borrowed.
    Scheduler(const ch_launch& launch, void* const* ports, orchestrator::OrchestrationLibraries* libraries);

    // One step of one thread; see ch_step. No two steps of the same thread at once.
    ch_step step(uint32_t thread);

    // Says which tasks wait for what; no step may be under way.
    void explain_stall(ch_error* out_error) const;

    // Nothing further is to be started; threads are done when their cores have exited. May be called during steps.
    void cut_off() { stopping_.store(true, std::memory_order_release); }

    // The launch is over, or cut off: makes the orchestration return if it has not.
    void end();

private:
    static constexpr uint32_t threads_max = platform::aicpu_threads_max;
    static_assert(CoreSet::capacity >= platform::cores_max);

    enum class Phase : uint8_t { announce, open_registers, await_cores, run, stop, await_exit, done };

    // A dispatch that a core has not finished. number 0: none.
    struct Dispatch {
        uint32_t number = 0;
        uint32_t task = graph::none;
    };

    // A ready task that could be started now, and where it waits.
    struct Startable {
        graph::Shape shape;
        bool second;      // behind the task that a core runs, as all cores have one
        uint32_t others;  // tasks of its shape before it: in the ready list, then in the queue
        uint32_t task;
    };

    struct Core {
        uint32_t physical = 0;
        uint32_t last_number = 0;  // of the last dispatch
        uint32_t cond = 0;         // as last seen
        uint8_t type = CH_AIC;     // ch_core_type
        uint8_t sub_block_id = 0;
        Dispatch running;
        Dispatch waiting;  // written while `running` runs
    };

    struct alignas(64) Thread {
        platform::AicpuPort* port = nullptr;
        Phase phase = Phase::announce;
        CoreSet cores;    // all of this thread
        CoreSet busy;     // have something to finish
        CoreSet idle[2];  // by core type: have nothing to do
        CoreSet half[2];  // by core type: run one dispatch and can take another
        uint32_t first_cluster = 0;
        std::atomic<uint64_t> completed{0};  // tasks; written by this thread only
        bool shared = false;                 // put something into a shared queue during this step
        bool orchestrates = false;           // runs the orchestration, which has not returned
        ReadyLists ready;                    // of this step
    };

    void open_registers(Thread& thread);
    ch_step run(Thread& thread);
    void stop(Thread& thread);
    bool cores_exited(Thread& thread);

    ch_step orchestrate(Thread& thread);
    void make_ready(uint32_t task) override;
    bool stopped() const override { return stopping_.load(std::memory_order_acquire); }
    void fail(const ch_error& error, int64_t submission) override;
    void work() override;

    uint64_t completed() const;
    uint64_t task_count() const { return __atomic_load_n(&image_.task_count, __ATOMIC_SEQ_CST); }
    bool all_completed(Thread& thread) const;
    uint32_t collect(Thread& thread);
    uint32_t finish(Thread& thread, uint32_t core, Dispatch& dispatch);
    void add_ready(Thread& thread, uint32_t task);
    void dispatch_mix(Thread& thread);
    void dispatch_single(Thread& thread, graph::Shape shape);
    uint32_t take(Thread& thread, graph::Shape shape);
    void give_back(Thread& thread, graph::Shape shape, uint32_t task);
    void share_ready(Thread& thread);
    uint32_t find_startable(Thread& thread, Startable* out_tasks);
    void dispatch_chosen(Thread& thread);
    uint32_t take(Thread& thread, const Startable& startable);
    void start_chosen(Thread& thread, const Startable& startable);
    void start_mix_chosen(Thread& thread, uint32_t task);
    uint32_t choose(graph::Choice what, const uint64_t* options, uint32_t count) const {
        return choices_->choose(choices_->oracle, what, options, count);
    }
    void start_cluster(Thread& thread, uint32_t cluster, uint32_t task);
    bool cluster_is_idle(const Thread& thread, uint32_t cluster) const;
    void start(Thread& thread, uint32_t core, Dispatch& slot, uint32_t task_index, uint32_t block,
               uint32_t kernel_slot);

    core_protocol::Payload& payload(uint32_t core, uint32_t number) const { return payloads_[core * 2 + (number & 1)]; }
    ReadyQueue& queue(graph::Shape shape) { return queues_[static_cast<uint32_t>(shape)]; }
    // Apart, so that steps that find no fault have no room for an error on their stack.
    [[gnu::cold, gnu::noinline]]
    void fail_handshake(uint32_t index, uint32_t physical, uint32_t type);
    [[gnu::cold, gnu::noinline]]
    void fail_kernel(uint32_t core, const core_protocol::Payload& payload);
    [[gnu::cold, gnu::noinline]]
    void fail_queue(graph::Shape shape, uint32_t task);
    bool claim_status(int32_t code);
    void blame(const graph::Task& task, ch_error* error) const;
    void blame_core(uint32_t core, ch_error* error) const;
    template <typename Visit>
    void for_each_task(Visit&& visit) const;
    bool is_unplaced(uint32_t task) const;
    uint32_t explain_unplaced(ch_error* out_error) const;
    uint32_t core_of(uint32_t task) const;
    uint32_t busy_core(graph::Shape shape) const;
    void explain_chain(bool orchestration, uint32_t task, ch_error* out_error) const;
    static void add_place(const graph::Task& task, ch_error* error);

    const ch_launch& launch_;
    graph::Image& image_;
    ch_launch_status& status_;
    graph::Task* const tasks_;
    graph::Edge* const edges_;
    const uint64_t* const args_;
    const uint64_t* const kernels_;
    const graph::KernelNames names_;
    core_protocol::Payload* const payloads_;
    Handshakes handshakes_;
    const uint32_t core_count_;
    const uint32_t schedulers_;            // threads that have clusters
    const bool grows_;                     // the graph is built while it runs
    const graph::Choices* const choices_;  // nullptr: everything is done in the default order
    orchestrator::Orchestrator orchestrator_;
    Thread threads_[threads_max];
    Core cores_[CoreSet::capacity];
    ReadyQueue queues_[graph::shape_count];
    alignas(64) std::atomic<bool> stopping_{false};  // all is done, or something failed
};

}  // namespace chiphost::scheduler
