// SPDX-License-Identifier: Apache-2.0
//
// Runs an orchestration on an AICPU thread and makes its tasks known to the scheduler while that is at work.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "chiphost/abi/device_orchestration.h"
#include "chiphost/platform/aicpu.h"
#include "graph/kernel_names.h"
#include "graph/orchestration.h"
#include "graph/run_observer.h"
#include "graph_calls.h"
#include "orchestration_libraries.h"
#include "producer_list.h"
#include "ring_room.h"
#include "scheduler_interface.h"
#include "strand.h"
#include "tensor_map.h"

namespace chiphost::orchestrator {

// One orchestration in one launch. It is itself the graph handle that the orchestration gets. Everything is called by
// the orchestrator's AICPU thread, but completed() and waiting(), which any thread may call.
//
// Memory: a task takes a slot, room for its arguments and new tensors, and edges, all from the ring of its scope's
// depth. A ring gives back in order: its oldest task when nobody holds that any more (graph::Slot). Only the
// orchestrator takes and gives back, so no lock is needed; others just count holds down.
class Orchestrator final : public ch_device_graph {
public:
    // For a launch without an orchestration.
    Orchestrator() : ch_device_graph{&graph_calls} {}
    Orchestrator(const Orchestrator&) = delete;
    Orchestrator& operator=(const Orchestrator&) = delete;

    // Everything is borrowed until the launch ends. `observer` may be null.
    void begin(graph::Image* image, OrchestrationLibraries* libraries, SchedulerInterface* scheduler,
               platform::AicpuPort* port, uint32_t cluster_count, const graph::RunObserver* observer,
               graph::KernelNames names);

    // Starts the orchestration or lets it go on. True: it has returned, and everything is submitted or the run failed;
    // or it is given up, because the run is over and it does not return.
    bool go_on();

    // See Strand.
    bool can_go_on() const { return strand_.can_go_on(); }
    bool waiting() { return strand_.waiting(); }

    // A task has completed and has told its successors. After this its slot may be another's.
    void completed(uint32_t task);

    uint64_t submitted() const { return submitted_; }

    // Calls visit(index) for the tasks that have slots, oldest first.
    template <typename Visit>
    void for_each_task(Visit&& visit) const;

    // Says what the orchestration waits for: appends to text[0, bytes) and returns the code for it, CH_OK if it waits
    // for nothing.
    ch_code explain_wait(char* text, size_t bytes) const;

    // The task that the orchestration waits for; none: it waits for nothing, or for more than one.
    uint32_t in_the_way() const;

    // Says that the orchestration goes on, and where it called last. False: it has returned, or has called nothing.
    bool explain_stay(char* text, size_t bytes) const;

    // The orchestration makes a call, which returns to this address of its code.
    void called_from(const void* code) { called_from_ = reinterpret_cast<uint64_t>(code); }

    // The orchestration calls these (ch_device_graph_ops). Each lets others get on now and then, and fails once the run
    // is over.
    Status submit(const ch_task_spec& spec, ch_task_result* out_result);
    Status add_dependency(int64_t producer, int64_t consumer);
    Status scope_begin(int32_t mode);
    Status scope_end();
    Status access_element(const ch_device_tensor& tensor, const uint32_t* indices, bool write, uint64_t* bits);
    bool breathe() { return strand_.breathe(); }  // false: the run is over
    void fail(int32_t code, const char* text);
    void log(const char* text);
    int32_t cluster_count();
    Status tensor_at(uint64_t address, const ch_tensor_spec& spec, ch_device_tensor* out_tensor);

private:
    struct OpenScope {
        uint32_t serial;
        ch_scope_mode mode;
        uint32_t first, last;  // slots of its tasks
    };

    void run();
    Status check(const ch_task_spec& spec, Need* out_need);
    Status check_tensor(const ch_device_tensor* tensor, bool write, const char* where, uint32_t number,
                        graph::TensorRegion* out_region);
    const ch_device_tensor* origin_of(const ch_device_tensor& tensor) const;
    Status make_room(uint32_t ring, const char* where, Need* need);

    void find_producers(const ch_task_spec& spec);
    // True if the tensor map is told how the task uses the tensor.
    bool is_tracked(const ch_task_tensor& tensor) const {
        return tensor.role != CH_ROLE_OUTPUT && tensor.role != CH_ROLE_NO_DEP &&
               !(tensor.tensor->flags & CH_TENSOR_MANUAL_DEP);
    }
    void tell_observer(const ch_task_spec& spec, const ch_task_result& result) const;
    void fill_task(const ch_task_spec& spec, uint32_t index, int64_t id);
    void fill_slot(uint32_t index);
    void write_record(const ch_task_spec& spec, const TaskRing::Place& place, ch_task_result* out_result);
    bool link(ProducerList::Producer producer, uint32_t consumer);
    // Makes a task known to the scheduler: it starts when its producers have completed, `satisfied` of which need not
    // be waited for.
    void publish(uint32_t task, uint32_t satisfied) {
        slots_[task].published = 1;
        if (__atomic_sub_fetch(&tasks_[task].unmet, satisfied + 1, __ATOMIC_ACQ_REL) == 0) scheduler_->make_ready(task);
    }
    void release(uint32_t slot) { __atomic_sub_fetch(&slots_[slot].holds, 1, __ATOMIC_ACQ_REL); }

    uint32_t ring_of_scope() const { return depth_ - 1 < graph::ring_count ? depth_ - 1 : graph::ring_count - 1; }
    OpenScope& scope() { return scopes_[depth_ - 1]; }
    const ch_device_args& run_args() const { return *reinterpret_cast<const ch_device_args*>(plan_->args); }

    // Reports a fault of the call that is under way; the message gets the call's place in the orchestration.
    Status fail_call(ch_error* error);
    graph::NameText task_text(int64_t id) const;
    // Adds whose a tensor is, if that is known.
    void say_whose(const ch_device_tensor* tensor, uint32_t number, ch_error* error) const;

    [[gnu::format(printf, 4, 5)]]
    Status refuse(ch_code code, const char* where, const char* format, ...);

    graph::Orchestration* plan_ = nullptr;
    graph::Image* image_ = nullptr;
    OrchestrationLibraries* libraries_ = nullptr;
    SchedulerInterface* scheduler_ = nullptr;
    platform::AicpuPort* port_ = nullptr;
    graph::Task* tasks_ = nullptr;
    graph::Edge* edges_ = nullptr;
    uint64_t* args_ = nullptr;
    graph::Slot* slots_ = nullptr;
    graph::Predecessor* predecessors_ = nullptr;
    ProducerList producers_;                            // of the task that is being submitted
    graph::TensorRegion regions_[CH_MAX_TASK_TENSORS];  // of the tensors of the task that is being submitted
    uint32_t cluster_count_ = 0;
    bool infers_ = false;  // edges, in automatic scopes
    TensorMap map_;
    Strand strand_;
    RingRoom room_;
    OpenScope scopes_[CH_MAX_SCOPE_DEPTH];
    uint32_t depth_ = 0;
    uint32_t scope_serial_ = 0;
    uint64_t submitted_ = 0;
    bool in_entry_ = false;  // inside the orchestration's function
    uint64_t called_from_ = 0;
    const ch_task_spec* submitting_ = nullptr;  // of the submission that is under way
    graph::KernelNames names_;
    uint32_t waited_for_ = graph::none;  // slot of the task that an element is waited for
    const graph::RunObserver* observer_ = nullptr;
};

template <typename Visit>
void Orchestrator::for_each_task(Visit&& visit) const {
    for (uint32_t ring = 0; ring < graph::ring_count; ++ring) {
        const TaskRing& tasks = room_.ring(ring);
        for (uint32_t i = tasks.count(); i > 0; --i) visit(tasks.slot_of(tasks.next_number() - i));
    }
}

}  // namespace chiphost::orchestrator
