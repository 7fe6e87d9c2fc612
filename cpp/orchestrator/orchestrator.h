// SPDX-License-Identifier: Apache-2.0
//
// Runs an orchestration on an AICPU thread and makes its tasks known to the scheduler while that is at work.
#pragma once

#include <stdarg.h>
#include <stdint.h>

#include <atomic>

#include "chiphost/abi/device_orchestration.h"
#include "chiphost/platform/aicpu.h"
#include "graph/orchestration.h"
#include "orchestration_libraries.h"
#include "task_ring.h"
#include "tensor_map.h"

namespace chiphost::orchestrator {

// What the orchestrator needs of the scheduler.
class Machine {
public:
    // The task of this index waits for nothing.
    virtual void make_ready(uint32_t task) = 0;
    // Whether the run is over, for good or ill: the orchestration is to return.
    virtual bool stopped() const = 0;
    virtual void fail(const ch_error& error) = 0;
    // Does what else the orchestrator's thread has to do, on platforms whose strands cannot pause.
    virtual void work() = 0;

protected:
    ~Machine() = default;
};

// One orchestration in one launch. It is itself the graph handle that the orchestration gets. Everything is called by
// the orchestrator's AICPU thread, but completed() and waiting(), which any thread may call.
//
// Memory: a task takes a slot, room for its arguments and new tensors, and edges, all from the ring of its scope's
// depth. A ring gives back in order: its oldest task when nobody holds that any more (graph::Slot). Only the
// orchestrator takes and gives back, so no lock is needed; others just count holds down.
class Orchestrator final : public ch_device_graph {
public:
    // For a launch without an orchestration.
    Orchestrator() : ch_device_graph{&ops} {}
    Orchestrator(const Orchestrator&) = delete;
    Orchestrator& operator=(const Orchestrator&) = delete;

    // Everything is borrowed until the launch ends.
    void begin(graph::Image* image, OrchestrationLibraries* libraries, Machine* machine, platform::AicpuPort* port,
               uint32_t cluster_count);

    // Starts the orchestration or lets it go on. True: it has returned, and everything is submitted or the run failed.
    bool go_on();

    // Whether going on would be of use: nothing is waited for, or it has happened.
    bool can_go_on() const;

    // Whether the orchestration waits for tasks to complete: then its thread wants to be woken. To be asked after
    // completed(): either this says yes, or the orchestration sees what was completed.
    bool waiting() { return waiting_.fetch_add(0, std::memory_order_acq_rel) != 0; }

    // A task has completed and has told its successors. After this its slot may be another's.
    void completed(uint32_t task);

    uint64_t submitted() const { return submitted_; }

    // Calls visit(index) for the tasks that have slots, oldest first.
    template <typename Visit>
    void for_each_task(Visit&& visit) const;

    // Says what the orchestration waits for: appends to text[0, bytes) and returns the code for it, CH_OK if it waits
    // for nothing.
    ch_code explain_wait(char* text, size_t bytes) const;

private:
    static const ch_device_graph_ops ops;
    static Orchestrator& self(ch_device_graph* graph) { return *static_cast<Orchestrator*>(graph); }

    struct OpenScope {
        uint32_t serial;
        ch_scope_mode mode;
        uint32_t first, last;  // slots of its tasks
        uint32_t count;
    };
    // What a task takes.
    struct Need {
        Room room;
        uint32_t uses = 0;  // entries of the tensor map
    };
    enum class Wait : uint8_t { none, slot, heap, record, edges, uses, element };

    void run();
    int32_t submit(const ch_task_spec& spec, ch_task_result* out_result);
    int32_t check(const ch_task_spec& spec, Need* out_need);
    int32_t check_tensor(const ch_device_tensor* tensor, bool write, const char* where, uint32_t number,
                         TensorRegion* out_region);
    int32_t add_dependency(int64_t producer, int64_t consumer);
    int32_t scope_begin(int32_t mode);
    int32_t scope_end();
    int32_t element(const ch_device_tensor& tensor, const uint32_t* indices, bool write, uint64_t* bits);

    // Waits for room; 0, or negative if the run has failed or there never will be any.
    int32_t make_room(uint32_t ring, Need* need);
    bool drop_completed_producers();
    Wait missing(uint32_t ring, const Need& need) const;
    int32_t refuse_for_ever(uint32_t ring, Wait what, const Need& need);
    void reclaim(uint32_t ring);
    template <typename Ready>
    bool wait(Wait what, Ready&& ready);
    // Every call of the orchestration passes here: now and then others get on, and see that the run is to stop.
    void breathe();

    void find_producers(const ch_task_spec& spec);
    // Whether the tensor map is told how the task uses the tensor.
    bool is_tracked(const ch_task_tensor& tensor) const {
        return tensor.role != CH_ROLE_OUTPUT && tensor.role != CH_ROLE_NO_DEP &&
               !(tensor.tensor->flags & CH_TENSOR_MANUAL_DEP);
    }
    void note(uint32_t slot, bool owner);
    void begin_notes();
    void fill_task(const ch_task_spec& spec, uint32_t index, int64_t id);
    void fill_slot(uint32_t index);
    void write_record(const ch_task_spec& spec, const TaskRing::Place& place, ch_task_result* out_result);
    bool link(uint32_t producer, uint32_t consumer);
    void publish(uint32_t task, uint32_t satisfied);
    void release(uint32_t slot);

    // Slot of a task that has one; none: it is gone, or there was never such a task.
    uint32_t slot_of(int64_t id) const;
    bool was_submitted(int64_t id) const;
    bool is_over(uint32_t slot) const {
        return __atomic_load_n(&tasks_[slot].first_edge, __ATOMIC_ACQUIRE) == graph::closed;
    }
    uint32_t ring_of_scope() const { return depth_ - 1 < graph::ring_count ? depth_ - 1 : graph::ring_count - 1; }
    bool is_open(uint32_t scope) const;
    OpenScope& scope() { return scopes_[depth_ - 1]; }

    [[gnu::format(printf, 4, 5)]]
    int32_t refuse(ch_code code, const char* where, const char* format, ...);

    graph::Orchestration* plan_ = nullptr;
    graph::Image* image_ = nullptr;
    OrchestrationLibraries* libraries_ = nullptr;
    Machine* machine_ = nullptr;
    platform::AicpuPort* port_ = nullptr;
    graph::Task* tasks_ = nullptr;
    graph::Edge* edges_ = nullptr;
    uint64_t* args_ = nullptr;
    graph::Slot* slots_ = nullptr;
    graph::Predecessor* predecessors_ = nullptr;
    uint32_t* marks_ = nullptr;  // marks_[0]: the last mark given; then the mark each slot was noted with
    uint32_t* found_ = nullptr;  // producers of the task that is being submitted; the top bit says owner
    uint32_t found_count_ = 0;
    TensorRegion regions_[CH_MAX_TASK_TENSORS];  // of the tensors of the task that is being submitted
    uint32_t cluster_count_ = 0;
    bool infers_ = false;  // edges, in automatic scopes
    TensorMap map_;
    TaskRing rings_[graph::ring_count];
    OpenScope scopes_[CH_MAX_SCOPE_DEPTH];
    uint32_t depth_ = 0;
    uint32_t scope_serial_ = 0;
    uint64_t submitted_ = 0;
    uint64_t calls_ = 0;
    bool in_entry_ = false;  // inside the orchestration's function
    bool returned_ = false;
    // What the orchestration waits for.
    Wait wait_ = Wait::none;

    bool (*ready_)(const void*) = nullptr;
    const void* ready_context_ = nullptr;
    std::atomic<uint32_t> waiting_{0};
};

template <typename Visit>
void Orchestrator::for_each_task(Visit&& visit) const {
    for (uint32_t ring = 0; ring < graph::ring_count; ++ring) {
        const TaskRing& tasks = rings_[ring];
        for (uint32_t i = tasks.count(); i > 0; --i) visit(tasks.slot_of(tasks.next_number() - i));
    }
}

}  // namespace chiphost::orchestrator
