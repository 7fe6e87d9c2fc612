// SPDX-License-Identifier: Apache-2.0
//
// The engine of the simulated chip: steps the processors of one launch until the AICPU threads are done.
//
// A processor (a core, an AICPU thread) is a step function. The engine visits those that may have something to do: a
// core whose DATA_MAIN_BASE was written, an AICPU thread one of whose cores wrote COND. It makes no threads, opens
// nothing and waits for nothing but processors that other host threads are stepping.
#pragma once

#include <stdint.h>

#include <optional>
#include <vector>

#include "chiphost/abi/device_program.h"
#include "chiphost/abi/fork_mark.h"
#include "chiphost/abi/mailbox.h"
#include "event_ring.h"
#include "order.h"
#include "processor_set.h"
#include "sim_port.h"

namespace chiphost::platform {

// The processors of a launch and how to step them. Borrowed by the engine.
struct Processors {
    const ch_aicpu_program* aicpu_program;
    void* aicpu_context;
    uint32_t aicpu_threads;  // at most max_aicpu_threads
    const ch_aicore_program* aicore_program;
    char* core_contexts;
    uint64_t core_context_bytes;
    AicorePort* core_ports;
    uint32_t cores;  // at most max_cores
    const ch_fork_mark* fork_mark = nullptr;
    const core_protocol::Payload* payloads = nullptr;  // two for each core; nullptr: events say nothing of tasks

    static constexpr uint32_t max_cores = cores_max;
    static constexpr uint32_t max_aicpu_threads = aicpu_threads_max;

    ch_step step_core(uint32_t core, uint32_t lane) const {
        core_ports[core].lane = lane;
        return in_this_process(aicore_program->step(core_contexts + core * core_context_bytes));
    }
    ch_step step_aicpu(uint32_t thread) const { return in_this_process(aicpu_program->step(aicpu_context, thread)); }
    // A kernel or an orchestration may have made a copy of the process. The launch is not the copy's to go on with: it
    // would write results that others have already been given.
    ch_step in_this_process(ch_step result) const {
        ch_end_copy(fork_mark);
        return result;
    }

    // Calls visit(other) for the two other cores of a core's cluster.
    template <typename Visit>
    void for_each_neighbour(uint32_t core, Visit&& visit) const {
        const uint32_t clusters = cores / 3;
        const uint32_t cluster = core_protocol::cluster_of(core, clusters);
        for (uint32_t other : {cluster, clusters + 2 * cluster, clusters + 2 * cluster + 1}) {
            if (other != core) visit(other);
        }
    }
};

// How a launch ended.
enum class End { finished, stalled, cancelled };

// Steps a launch. It keeps the last events if it is told to: a tenth of the time of a graph of empty tasks, so that
// only launches of kernels that wait for each other do. Usage: make it, give hooks() to the ports, initialise the
// programs, run().
class Engine {
public:
    virtual ~Engine() = default;
    virtual const SimEngineHooks* hooks() const = 0;
    // Makes the choices of the programs; nullptr: they go by their default order.
    virtual const graph::Choices* choices() const { return nullptr; }
    virtual End run(const Processors& processors) = 0;
    // Tells what happened last, once the run has ended.
    const EventRing& events() const { return events_; }

protected:
    // `several`: the engine steps on more than one thread.
    Engine(bool several, bool keeps_events) : events_(several), keeps_events_(keeps_events) {}

    EventRing events_;
    const bool keeps_events_;
    const core_protocol::Payload* payloads_ = nullptr;
};

// Steps everything on the calling thread, in the order that an oracle chooses; without one, processors take their steps
// in turn. Records a trace if wanted.
class SequentialEngine final : public Engine {
public:
    // Everything is borrowed. `oracle` and `out_trace` may be nullptr. `keeps_events`: events() tells something.
    SequentialEngine(Oracle* oracle, const ch_run_progress* progress, std::vector<ch_trace_event>* out_trace,
                     bool keeps_events = false);
    const SimEngineHooks* hooks() const override { return &hooks_; }
    const graph::Choices* choices() const override { return order_ ? &order_->choices() : nullptr; }
    End run(const Processors& processors) override;

    // The order that an oracle has chosen. There must be one.
    const Order& order() const { return *order_; }

private:
    // Numbers of processors: cores from 0 on, AICPU threads from first_aicpu on.
    static constexpr uint32_t first_aicpu = Processors::max_cores;

    void record(uint32_t core, ch_trace_kind kind, uint32_t by, uint32_t value, int64_t task);

    SimEngineHooks hooks_;
    const Processors* processors_ = nullptr;
    std::optional<Order> order_;
    const ch_run_progress* const progress_;
    std::vector<ch_trace_event>* const trace_;
    ProcessorSet runnable_;
    ProcessorSet aicpu_alive_;                       // AICPU threads that are not done
    uint8_t thread_of_core_[Processors::max_cores];  // AICPU thread that last wrote to the core
    uint32_t step_ = 0;
};

// Steps with several host threads, for kernels that take long. The order is the machine's.
class ParallelEngine final : public Engine {
public:
    // `helpers` are parked threads lent by the anchor; the calling thread works, too.
    ParallelEngine(const std::vector<ch_mailbox*>& helpers, ch_run_progress* progress, bool keeps_events = false);
    const SimEngineHooks* hooks() const override { return &hooks_; }
    End run(const Processors& processors) override;

private:
    enum State : uint8_t { asleep, queued, running, running_again, gone };
    static constexpr uint32_t first_aicpu = Processors::max_cores;
    static constexpr uint32_t none = UINT32_MAX;

    struct Helper {
        ParallelEngine* engine;
        uint32_t lane;
    };
    static int32_t help(void* engine, const void* helper, void*);

    void work(uint32_t lane);
    uint32_t claim(uint32_t from);
    void step(uint32_t processor, uint32_t lane);
    void wake(uint32_t processor);
    void enqueue(uint32_t processor);
    bool wait_for_work();
    void end(End how);

    SimEngineHooks hooks_;
    const std::vector<ch_mailbox*>& helpers_;
    ch_run_progress* const progress_;
    const Processors* processors_ = nullptr;
    const uint32_t workers_;
    alignas(64) std::atomic<uint64_t> runnable_[2] = {};
    alignas(64) std::atomic<uint8_t> state_[Processors::max_cores + Processors::max_aicpu_threads] = {};
    std::atomic<uint8_t> thread_of_core_[Processors::max_cores] = {};
    alignas(64) std::atomic<uint32_t> idle_workers_{0};
    uint32_t wake_ups_ = 0;  // futex word; atomic
    std::atomic<uint32_t> aicpu_left_{0};

    std::atomic<bool> over_{false};
    std::atomic<End> how_{End::finished};
};

}  // namespace chiphost::platform
