// SPDX-License-Identifier: Apache-2.0
#include "orchestrator.h"

#include <stdio.h>
#include <string.h>

#include <exception>

#include "abi/report.h"
#include "new_tensor.h"
#include "task_check.h"

namespace chiphost::orchestrator {

using graph::none;
using graph::Slot;
using graph::Task;

namespace {

constexpr uint32_t owner_flag = 0x80000000;
constexpr uint64_t record_alignment = 64;
constexpr uint32_t breathe_every = 32;  // calls; what the others need then is still in the caches

template <typename T>
T* at(uint64_t address) {
    return reinterpret_cast<T*>(address);
}

constexpr uint64_t aligned(uint64_t bytes, uint64_t alignment) {
    return (bytes + alignment - 1) / alignment * alignment;
}

const char* plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

}  // namespace

const ch_device_graph_ops Orchestrator::ops = {
    CH_ABI_HEADER(ch_device_graph_ops, CH_ABI_DEVICE_ORCHESTRATION, CH_DEVICE_ORCHESTRATION_MAJOR,
                  CH_DEVICE_ORCHESTRATION_MINOR, "*"),
    [](ch_device_graph* graph, const ch_task_spec* spec, ch_task_result* out_result) {
        return self(graph).submit(*spec, out_result);
    },
    [](ch_device_graph* graph, int64_t producer, int64_t consumer) {
        return self(graph).add_dependency(producer, consumer);
    },
    [](ch_device_graph* graph, int32_t mode) { return self(graph).scope_begin(mode); },
    [](ch_device_graph* graph) { return self(graph).scope_end(); },
    [](ch_device_graph* graph, const ch_device_tensor* tensor, const uint32_t* indices, uint64_t* out_bits) {
        return self(graph).element(*tensor, indices, false, out_bits);
    },
    [](ch_device_graph* graph, const ch_device_tensor* tensor, const uint32_t* indices, uint64_t bits) {
        return self(graph).element(*tensor, indices, true, &bits);
    },
    [](ch_device_graph* graph) {
        self(graph).breathe();
        return self(graph).machine_->stopped() ? 1 : 0;
    },
    [](ch_device_graph* graph, int32_t code, const char* text) {
        Orchestrator& orchestrator = self(graph);
        if (orchestrator.machine_->stopped()) return;

        ch_error error = no_error();
        report(&error, CH_ORCHESTRATION_FATAL, orchestrator.plan_->entry, "%s", text ? text : "");
        error.detail_code = code;
        orchestrator.machine_->fail(error);
    },
    [](ch_device_graph* graph, int32_t, const char* text) {
        self(graph).breathe();
        platform::log_line(self(graph).port_, text ? text : "");
    },
    [](ch_device_graph* graph) {
        self(graph).breathe();
        return static_cast<int32_t>(self(graph).cluster_count_);
    },
};

void Orchestrator::begin(graph::Image* image, OrchestrationLibraries* libraries, Machine* machine,
                         platform::AicpuPort* port, uint32_t cluster_count) {
    image_ = image;
    plan_ = at<graph::Orchestration>(image->orchestration);
    libraries_ = libraries;
    machine_ = machine;
    port_ = port;
    cluster_count_ = cluster_count;
    tasks_ = at<Task>(image->tasks);
    edges_ = at<graph::Edge>(image->edges);
    args_ = at<uint64_t>(image->args);
    slots_ = at<Slot>(plan_->slots);
    predecessors_ = at<graph::Predecessor>(plan_->predecessors);
    marks_ = at<uint32_t>(plan_->found);
    found_ = marks_ + 1 + plan_->slot_count;
    for (uint32_t ring = 0; ring < graph::ring_count; ++ring) rings_[ring].begin(&plan_->rings[ring]);
    infers_ = plan_->root_scope == graph::RootScope::automatic;
    map_.begin(at<TensorMap::Entry>(plan_->map_entries), plan_->map_capacity,
               at<TensorMap::Bucket>(plan_->map_buckets));
}

bool Orchestrator::go_on() {
    if (returned_) return true;
    returned_ = platform::resume_strand(
        port_, [](void* orchestrator) { static_cast<Orchestrator*>(orchestrator)->run(); }, this);
    return returned_;
}

// On the strand.
void Orchestrator::run() {
    if (machine_->stopped()) return;  // cut off before it began
    scopes_[0] = {++scope_serial_, infers_ ? CH_SCOPE_AUTO : CH_SCOPE_MANUAL, none, none, 0};
    depth_ = 1;
    ch_error error = no_error();
    ch_device_orchestration entry = nullptr;
    if (libraries_->get(port_, *plan_, &entry, &error) != CH_OK) {
        machine_->fail(error);
        return;
    }
    int32_t returned = 0;
    in_entry_ = true;
    try {
        returned = entry(this, at<const ch_device_args>(plan_->args));
    } catch (const std::exception& thrown) {
        report(&error, CH_ORCHESTRATION_THREW, plan_->entry, "%s", thrown.what());
    } catch (...) {
        report(&error, CH_ORCHESTRATION_THREW, plan_->entry, "an exception that is no std::exception");
    }
    in_entry_ = false;
    if (machine_->stopped()) return;  // what it did then is of no interest
    if (error.code == CH_OK && returned != 0) {
        report(&error, CH_ORCHESTRATION_FAILED, plan_->entry, "returned %d", returned);
        error.detail_code = returned;
    }
    if (error.code == CH_OK && depth_ != 1) {
        report(&error, CH_TASK_INVALID, plan_->entry, "returned with %u open scope%s", depth_ - 1, plural(depth_ - 1));
    }
    if (error.code != CH_OK) {
        machine_->fail(error);
        return;
    }
    scope_end();
    for (const TaskRing& ring : rings_) plan_->heap_touched += ring.heap_touched();
    platform::flush_cache(plan_, sizeof *plan_);
    __atomic_store_n(&image_->task_count, submitted_, __ATOMIC_SEQ_CST);
}

bool Orchestrator::can_go_on() const {
    return !waiting_.load(std::memory_order_relaxed) || machine_->stopped() || ready_(ready_context_);
}

// Waits until ready() holds. False: the run is over.
template <typename Ready>
bool Orchestrator::wait(Wait what, Ready&& ready) {
    if (ready()) return true;
    wait_ = what;

    ready_ = [](const void* context) { return (*static_cast<const std::remove_reference_t<Ready>*>(context))(); };
    ready_context_ = &ready;
    // Whoever completes a task from now on sees this and wakes this thread; what was completed before is seen here.
    waiting_.exchange(1, std::memory_order_acq_rel);
    bool go = ready();
    while (!go && !machine_->stopped()) {
        if (!platform::pause_strand(port_)) machine_->work();
        go = ready();
    }
    waiting_.store(0, std::memory_order_relaxed);
    wait_ = Wait::none;
    return go && !machine_->stopped();
}

void Orchestrator::breathe() {
    if (++calls_ % breathe_every == 0 || platform::should_breathe(port_)) platform::pause_strand(port_);
}

int32_t Orchestrator::refuse(ch_code code, const char* where, const char* format, ...) {
    char text[480];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    ch_error error = no_error();
    report(&error, code, where, "%s", text);
    machine_->fail(error);
    return -code;
}

// --- what a task may be ----------------------------------------------------------------------------------------------

int32_t Orchestrator::check_tensor(const ch_device_tensor* tensor, bool write, const char* where, uint32_t number,
                                   TensorRegion* out_region) {
    ch_error error;
    if (const int32_t code = orchestrator::check_tensor(tensor, write, where, number, out_region, &error)) {
        machine_->fail(error);
        return -code;
    }
    if (tensor->owner < 0) return 0;
    const uint32_t owner = slot_of(tensor->owner);
    if (owner != none && is_open(slots_[owner].scope)) return 0;
    return refuse(CH_TENSOR_EXPIRED, where, "tensor %u: the scope of task %lld, which made it, has ended", number,
                  static_cast<long long>(tensor->owner));
}

int32_t Orchestrator::check(const ch_task_spec& spec, Need* out_need) {
    ch_error error;
    if (const int32_t code = check_task(*plan_, spec, &error)) {
        machine_->fail(error);
        return -code;
    }
    for (uint32_t i = 0; i < spec.after_count; ++i) {
        if (!was_submitted(spec.after[i])) {
            return refuse(CH_TASK_ID_OUT_OF_RANGE, "submit", "after %lld: there was no such task",
                          static_cast<long long>(spec.after[i]));
        }
    }
    for (uint32_t i = 0; i < spec.tensor_count; ++i) {
        const ch_task_tensor& tensor = spec.tensors[i];
        if (tensor.role == CH_ROLE_OUTPUT) {
            out_need->room.heap_bytes += new_tensor_heap_bytes(*tensor.spec);
        } else {
            const bool writes = tensor.role == CH_ROLE_INOUT || tensor.role == CH_ROLE_OUTPUT_EXISTING;
            if (const int32_t code = check_tensor(tensor.tensor, writes, "submit", i, &regions_[i])) return code;
            out_need->uses += is_tracked(tensor);
        }
    }
    out_need->room.record_bytes = aligned(
        spec.tensor_count * sizeof(ch_device_tensor) + (spec.tensor_count + spec.scalar_count) * sizeof(uint64_t),
        record_alignment);
    return 0;
}

// --- room ------------------------------------------------------------------------------------------------------------

Orchestrator::Wait Orchestrator::missing(uint32_t ring, const Need& need) const {
    switch (rings_[ring].missing(need.room)) {
        case TaskRing::Missing::slot:
            return Wait::slot;
        case TaskRing::Missing::heap:
            return Wait::heap;
        case TaskRing::Missing::record:
            return Wait::record;
        case TaskRing::Missing::edges:
            return Wait::edges;
        case TaskRing::Missing::none:
            break;
    }
    return need.uses > map_.free_count() ? Wait::uses : Wait::none;
}

// Gives back what the oldest tasks of a ring have, as far as nobody holds them.
void Orchestrator::reclaim(uint32_t ring_number) {
    TaskRing& ring = rings_[ring_number];
    while (!ring.empty()) {
        const Slot& slot = slots_[ring.oldest()];
        if (__atomic_load_n(&slot.holds, __ATOMIC_ACQUIRE) != 0) return;
        map_.forget(slot.first_use);
        ring.give_back(slot);
    }
}

// There will never be room: what is missing is kept by a scope that is open.
int32_t Orchestrator::refuse_for_ever(uint32_t ring, Wait what, const Need& need) {
    const graph::Ring& size = rings_[ring].sizes();
    const uint32_t kept = rings_[ring].count();
    uint32_t of_open_scopes = 0;
    for (uint32_t i = 0; i < depth_; ++i) {
        if ((i < graph::ring_count ? i : graph::ring_count - 1) == ring) of_open_scopes += scopes_[i].count;
    }
    const int64_t oldest = slots_[rings_[ring].oldest()].id;
    switch (what) {
        case Wait::heap:
            return refuse(CH_HEAP_DEADLOCK, "submit",
                          "wanted %llu bytes for new tensors; ring %u has %llu, and task %lld of an open scope keeps "
                          "what it made (%u tasks are kept)",
                          static_cast<unsigned long long>(need.room.heap_bytes), ring,
                          static_cast<unsigned long long>(size.heap_bytes), static_cast<long long>(oldest), kept);
        case Wait::edges:
            return refuse(
                CH_DEP_POOL_DEADLOCK, "submit",
                "wanted %u edge%s; ring %u has %u, and task %lld of an open scope keeps its own (%u tasks are "
                "kept)",
                need.room.edges, plural(need.room.edges), ring, size.edge_count, static_cast<long long>(oldest), kept);
        case Wait::uses:
            return refuse(CH_TENSOR_MAP_DEADLOCK, "submit",
                          "wanted to note %u uses of tensors; there is room for %u, and open scopes keep theirs",
                          need.uses, plan_->map_capacity);
        default:
            if (of_open_scopes >= size.window) {
                return refuse(CH_SCOPE_DEADLOCK, "submit",
                              "the open scopes of ring %u have %u tasks, the ring has %u slots", ring, of_open_scopes,
                              size.window);
            }
            return refuse(CH_WINDOW_DEADLOCK, "submit",
                          "%s of ring %u (%u slots) are taken by %u tasks, the oldest, %lld, is of an open scope",
                          what == Wait::slot ? "all slots" : "the argument records", ring, size.window, kept,
                          static_cast<long long>(oldest));
    }
}

// Forgets producers that have completed since they were found: they need no edge. True: there were some.
bool Orchestrator::drop_completed_producers() {
    const uint32_t before = found_count_;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < before; ++i) {
        const uint32_t slot = found_[i] & ~owner_flag;
        if ((found_[i] & owner_flag) || !is_over(slot)) found_[kept++] = found_[i];
    }
    found_count_ = kept;
    return kept != before;
}

int32_t Orchestrator::make_room(uint32_t ring, Need* need) {
    reclaim(ring);
    Wait what = missing(ring, *need);
    const graph::Ring& size = rings_[ring].sizes();
    while (what != Wait::none) {
        if (what == Wait::edges && need->room.slots != 0 && drop_completed_producers()) {
            need->room.edges = found_count_;
            what = missing(ring, *need);
            continue;
        }
        switch (rings_[ring].always_missing(need->room)) {
            case TaskRing::Missing::heap:
                return refuse(CH_HEAP_DEADLOCK, "submit", "wanted %llu bytes for new tensors, ring %u has %llu",
                              static_cast<unsigned long long>(need->room.heap_bytes), ring,
                              static_cast<unsigned long long>(size.heap_bytes));
            case TaskRing::Missing::edges:
                return refuse(CH_DEP_POOL_DEADLOCK, "submit", "wanted %u edges for one task, ring %u has %u",
                              need->room.edges, ring, size.edge_count);
            default:
                break;  // records: a ring has room for the largest task
        }
        // Uses of tensors are given back by the tasks of every ring.
        const auto concerns = [&](uint32_t other) { return other == ring || what == Wait::uses; };
        bool pinned = true;
        for (uint32_t other = 0; other < graph::ring_count; ++other) {
            if (concerns(other) && !rings_[other].empty() && !is_open(slots_[rings_[other].oldest()].scope)) {
                pinned = false;
            }
        }
        if (pinned) return refuse_for_ever(ring, what, *need);
        const auto oldest_is_free = [&] {
            for (uint32_t other = 0; other < graph::ring_count; ++other) {
                if (!concerns(other) || rings_[other].empty()) continue;
                if (__atomic_load_n(&slots_[rings_[other].oldest()].holds, __ATOMIC_ACQUIRE) == 0) return true;
            }
            return false;
        };
        if (!wait(what, oldest_is_free)) return -CH_INTERRUPTED;
        for (uint32_t other = 0; other < graph::ring_count; ++other) {
            if (concerns(other)) reclaim(other);
        }
        what = missing(ring, *need);
    }
    return 0;
}

// --- tasks -----------------------------------------------------------------------------------------------------------

bool Orchestrator::was_submitted(int64_t id) const {
    const uint64_t ring = static_cast<uint64_t>(id) >> 32;
    return id >= 0 && ring < graph::ring_count && static_cast<uint32_t>(id) < rings_[ring].next_number();
}

uint32_t Orchestrator::slot_of(int64_t id) const {
    const uint64_t ring = static_cast<uint64_t>(id) >> 32;
    const auto number = static_cast<uint32_t>(id);
    if (id < 0 || ring >= graph::ring_count) return none;
    return rings_[ring].has(number) ? rings_[ring].slot_of(number) : none;
}

bool Orchestrator::is_open(uint32_t scope) const {
    for (uint32_t i = depth_; i-- > 0;) {
        if (scopes_[i].serial == scope) return true;
    }
    return false;
}

void Orchestrator::begin_notes() {
    found_count_ = 0;
    if (++marks_[0] == 0) {
        memset(marks_, 0, (1 + uint64_t{plan_->slot_count}) * sizeof *marks_);
        marks_[0] = 1;
    }
}

// Every slot once. An owner must be noted before it is noted otherwise.
void Orchestrator::note(uint32_t slot, bool owner) {
    uint32_t& mark = marks_[1 + slot];
    if (mark == marks_[0]) return;
    mark = marks_[0];
    found_[found_count_++] = slot | (owner ? owner_flag : 0);
}

// The tasks that must come before this one.
void Orchestrator::find_producers(const ch_task_spec& spec) {
    begin_notes();
    for (uint32_t i = 0; i < spec.tensor_count; ++i) {
        const ch_task_tensor& tensor = spec.tensors[i];
        if (tensor.role == CH_ROLE_OUTPUT || tensor.tensor->owner < 0) continue;
        note(slot_of(tensor.tensor->owner), true);
    }
    for (uint32_t i = 0; i < spec.tensor_count && scope().mode == CH_SCOPE_AUTO; ++i) {
        const ch_task_tensor& tensor = spec.tensors[i];
        if (!is_tracked(tensor)) continue;
        const auto use = tensor.role == CH_ROLE_INPUT ? TensorMap::Use::read : TensorMap::Use::write;
        map_.find(
            tensor.tensor->buffer, regions_[i], use, [&](uint32_t other) { note(other, false); },
            [&](uint32_t other) { return is_over(other); });
    }
    for (uint32_t i = 0; i < spec.after_count; ++i) {
        const uint32_t slot = slot_of(spec.after[i]);
        if (slot != none && !is_over(slot)) note(slot, false);
    }
}

// Writes descriptors and argument words. New tensors come first, so that they lie side by side.
void Orchestrator::write_record(const ch_task_spec& spec, const TaskRing::Place& place, ch_task_result* out_result) {
    Task& task = tasks_[place.slot];
    auto* tensors = reinterpret_cast<ch_device_tensor*>(args_ + place.record);
    uint64_t* words = reinterpret_cast<uint64_t*>(tensors + spec.tensor_count);
    uint32_t outputs = 0;
    for (uint32_t i = 0; i < spec.tensor_count; ++i) outputs += spec.tensors[i].role == CH_ROLE_OUTPUT;
    uint32_t next_output = 0;
    uint32_t next_other = outputs;
    uint64_t heap = place.heap;
    for (uint32_t i = 0; i < spec.tensor_count; ++i) {
        const ch_task_tensor& tensor = spec.tensors[i];
        ch_device_tensor* to = nullptr;
        if (tensor.role == CH_ROLE_OUTPUT) {
            to = tensors + next_output++;
            *to = make_new_tensor(*tensor.spec, heap, task.id);
            heap += new_tensor_heap_bytes(*tensor.spec);
        } else {
            to = tensors + next_other++;
            *to = *tensor.tensor;
        }
        words[i] = reinterpret_cast<uint64_t>(to);
    }
    if (spec.scalar_count != 0) memcpy(words + spec.tensor_count, spec.scalars, spec.scalar_count * sizeof(uint64_t));
    platform::flush_cache(tensors, spec.tensor_count * sizeof(ch_device_tensor));
    task.first_arg = static_cast<uint32_t>(words - args_);
    task.arg_count = static_cast<uint16_t>(spec.tensor_count + spec.scalar_count);
    out_result->id = task.id;
    out_result->outputs = tensors;
    out_result->output_count = outputs;
}

void Orchestrator::fill_task(const ch_task_spec& spec, uint32_t index, int64_t id) {
    Task& task = tasks_[index];
    task.first_edge = none;
    task.cores = 0;
    for (uint32_t core = 0; core < 3; ++core) {
        if (spec.func_id[core] < 0) continue;
        task.cores = static_cast<uint8_t>(task.cores | 1u << core);
        task.func_id[core] = static_cast<uint16_t>(spec.func_id[core]);
    }
    if (task.cores == graph::aiv1_bit) {  // one AIV is as good as the other
        task.cores = graph::aiv0_bit;
        task.func_id[1] = task.func_id[2];
    }
    task.shape = task.cores == graph::aic_bit    ? graph::Shape::aic
                 : task.cores == graph::aiv0_bit ? graph::Shape::aiv
                                                 : graph::Shape::mix;
    task.block_num = spec.block_num;
    task.next_block = 0;
    task.unfinished = spec.block_num * static_cast<uint32_t>(__builtin_popcount(task.cores));
    task.id = id;
}

// Puts the task into the innermost scope.
void Orchestrator::fill_slot(uint32_t index) {
    Slot& slot = slots_[index];
    slot.id = tasks_[index].id;
    slot.serial = ++submitted_;
    slot.first_predecessor = none;
    slot.first_use = none;
    slot.published = 0;
    slot.scope = scope().serial;
    slot.next_in_scope = none;
    __atomic_store_n(&slot.holds, 2, __ATOMIC_RELAXED);  // the task itself and its scope
    if (scope().last == none) {
        scope().first = index;
    } else {
        slots_[scope().last].next_in_scope = index;
    }
    scope().last = index;
    ++scope().count;
}

int32_t Orchestrator::submit(const ch_task_spec& spec, ch_task_result* out_result) {
    out_result->id = -1;
    breathe();
    if (machine_->stopped()) return -CH_INTERRUPTED;
    Need need;
    if (const int32_t code = check(spec, &need)) return code;
    const uint32_t ring_number = ring_of_scope();
    TaskRing& ring = rings_[ring_number];
    if (const int32_t code = make_room(ring_number, &need)) return code;
    // Nobody but this function takes room, so what there is now stays until the end of it.
    find_producers(spec);
    need.room.edges = found_count_;
    if (need.room.edges != 0) {
        if (const int32_t code = make_room(ring_number, &need)) return code;
    }
    if (ring.next_number() == UINT32_MAX) {
        return refuse(CH_TOO_MANY_TASKS, "submit", "ring %u has numbered %u tasks", ring_number, ring.next_number());
    }

    const TaskRing::Place place = ring.take(need.room);
    const uint32_t index = place.slot;
    Task& task = tasks_[index];
    Slot& slot = slots_[index];
    fill_task(spec, index, static_cast<int64_t>(uint64_t{ring_number} << 32 | place.number));
    write_record(spec, place, out_result);
    fill_slot(index);

    // One more than there are producers: nobody starts the task before it is published.
    __atomic_store_n(&task.unmet, found_count_ + 1, __ATOMIC_RELAXED);
    uint32_t satisfied = 0;
    for (uint32_t i = 0; i < found_count_; ++i) {
        const uint32_t producer = found_[i] & ~owner_flag;
        // The memory of an owner is held for this task, also if the owner has completed.
        const bool needless = !(found_[i] & owner_flag) && is_over(producer);
        if (needless || !link(producer, index)) ++satisfied;
    }
    ring.note_end(&slot);
    for (uint32_t i = 0; i < spec.tensor_count; ++i) {
        const ch_task_tensor& tensor = spec.tensors[i];
        if (!is_tracked(tensor)) continue;
        const auto use = tensor.role == CH_ROLE_INPUT ? TensorMap::Use::read : TensorMap::Use::write;
        map_.add(tensor.tensor->buffer, regions_[i], use, index, &slot.first_use);
    }
    if (scope().mode == CH_SCOPE_AUTO) {
        publish(index, satisfied);
    } else if (satisfied != 0) {
        __atomic_sub_fetch(&task.unmet, satisfied, __ATOMIC_ACQ_REL);
    }
    return 0;
}

// Adds an edge. False: the producer has completed, there is nothing to wait for.
bool Orchestrator::link(uint32_t producer, uint32_t consumer) {
    uint32_t holds = __atomic_load_n(&slots_[producer].holds, __ATOMIC_ACQUIRE);
    do {
        if (holds == 0) return false;
    } while (!__atomic_compare_exchange_n(&slots_[producer].holds, &holds, holds + 1, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    const uint32_t edge = rings_[static_cast<uint64_t>(slots_[consumer].id) >> 32].take_edge();
    predecessors_[edge] = {producer, slots_[consumer].first_predecessor};
    slots_[consumer].first_predecessor = edge;
    edges_[edge].successor = consumer;
    uint32_t first = __atomic_load_n(&tasks_[producer].first_edge, __ATOMIC_ACQUIRE);
    do {
        if (first == graph::closed) return false;
        edges_[edge].next = first;
    } while (!__atomic_compare_exchange_n(&tasks_[producer].first_edge, &first, edge, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return true;
}

void Orchestrator::publish(uint32_t index, uint32_t satisfied) {
    slots_[index].published = 1;
    if (__atomic_sub_fetch(&tasks_[index].unmet, satisfied + 1, __ATOMIC_ACQ_REL) == 0) machine_->make_ready(index);
}

void Orchestrator::release(uint32_t slot) {
    __atomic_sub_fetch(&slots_[slot].holds, 1, __ATOMIC_ACQ_REL);
}

void Orchestrator::completed(uint32_t index) {
    for (uint32_t entry = slots_[index].first_predecessor, next; entry != none; entry = next) {
        next = predecessors_[entry].next;
        release(predecessors_[entry].slot);
    }
    release(index);
}

int32_t Orchestrator::add_dependency(int64_t producer_id, int64_t consumer_id) {
    breathe();
    if (machine_->stopped()) return -CH_INTERRUPTED;
    const uint32_t consumer = slot_of(consumer_id);
    if (consumer == none || slots_[consumer].published) {
        return refuse(CH_TASK_INVALID, "add_dependency",
                      "edge %lld -> %lld: wanted a task of an open manual scope that has not been published",
                      static_cast<long long>(producer_id), static_cast<long long>(consumer_id));
    }
    if (!was_submitted(producer_id)) {
        return refuse(CH_TASK_ID_OUT_OF_RANGE, "add_dependency", "edge %lld -> %lld: there was no task %lld",
                      static_cast<long long>(producer_id), static_cast<long long>(consumer_id),
                      static_cast<long long>(producer_id));
    }
    uint32_t producer = slot_of(producer_id);
    if (producer == none) return 0;  // gone: it has completed
    if (slots_[producer].serial >= slots_[consumer].serial) {
        return refuse(CH_GRAPH_CYCLE, "add_dependency",
                      "edge %lld -> %lld: wanted a task that was submitted before %lld",
                      static_cast<long long>(producer_id), static_cast<long long>(consumer_id),
                      static_cast<long long>(consumer_id));
    }
    if (is_over(producer)) return 0;
    const auto ring_of_consumer = static_cast<uint32_t>(static_cast<uint64_t>(consumer_id) >> 32);
    Need need;
    need.room.slots = 0;
    need.room.edges = 1;
    if (const int32_t code = make_room(ring_of_consumer, &need)) return code;
    producer = slot_of(producer_id);
    if (producer == none) return 0;  // it completed meanwhile
    __atomic_add_fetch(&tasks_[consumer].unmet, 1, __ATOMIC_ACQ_REL);
    if (!link(producer, consumer)) __atomic_sub_fetch(&tasks_[consumer].unmet, 1, __ATOMIC_ACQ_REL);
    return 0;
}

// --- scopes ----------------------------------------------------------------------------------------------------------

int32_t Orchestrator::scope_begin(int32_t mode) {
    breathe();
    if (machine_->stopped()) return -CH_INTERRUPTED;
    if (depth_ >= CH_MAX_SCOPE_DEPTH) {
        return refuse(CH_TASK_INVALID, "scope_begin", "wanted scopes at most %d deep", CH_MAX_SCOPE_DEPTH);
    }
    if (mode != CH_SCOPE_AUTO && mode != CH_SCOPE_MANUAL) {
        return refuse(CH_TASK_INVALID, "scope_begin", "wanted mode %d (auto) or %d (manual), found %d", CH_SCOPE_AUTO,
                      CH_SCOPE_MANUAL, mode);
    }
    ch_scope_mode effective = mode == CH_SCOPE_AUTO ? CH_SCOPE_AUTO : CH_SCOPE_MANUAL;
    if (!infers_) {
        effective = CH_SCOPE_MANUAL;
    } else if (effective == CH_SCOPE_AUTO && scope().mode == CH_SCOPE_MANUAL) {
        return refuse(CH_TASK_INVALID, "scope_begin",
                      "an automatic scope inside a manual one: its edges could not be inferred");
    }
    scopes_[depth_++] = {++scope_serial_, effective, none, none, 0};
    return 0;
}

int32_t Orchestrator::scope_end() {
    breathe();
    if (machine_->stopped()) return -CH_INTERRUPTED;
    if (depth_ == 1 && in_entry_) {
        return refuse(CH_TASK_INVALID, "scope_end", "there is no open scope");
    }
    const OpenScope ended = scope();
    if (ended.mode == CH_SCOPE_MANUAL) {
        for (uint32_t slot = ended.first; slot != none; slot = slots_[slot].next_in_scope) publish(slot, 0);
    }
    const uint32_t ring = ring_of_scope();
    --depth_;
    for (uint32_t slot = ended.first, next; slot != none; slot = next) {
        next = slots_[slot].next_in_scope;
        release(slot);
    }
    reclaim(ring);
    return 0;
}

// --- elements --------------------------------------------------------------------------------------------------------

int32_t Orchestrator::element(const ch_device_tensor& tensor, const uint32_t* indices, bool write, uint64_t* bits) {
    breathe();
    if (machine_->stopped()) return -CH_INTERRUPTED;
    const char* where = write ? "set_element" : "get_element";
    if (const int32_t code = check_tensor(&tensor, write, where, 0, &regions_[0])) return code;
    ch_device_tensor one = tensor;
    const uint32_t bytes = ch_dtype_bytes(tensor.dtype);
    for (uint32_t dim = 0; dim < tensor.ndims; ++dim) {
        if (indices[dim] >= tensor.shape[dim]) {
            return refuse(CH_TASK_INVALID, where, "dimension %u has %u elements, wanted number %u", dim,
                          tensor.shape[dim], indices[dim]);
        }
        one.shape[dim] = 1;
        one.offset[tensor.raw_dim[dim]] += indices[dim];
        one.address += uint64_t{indices[dim]} * tensor.stride[dim] * bytes;
    }
    begin_notes();
    if (tensor.owner >= 0) note(slot_of(tensor.owner), true);
    map_.find(
        one.buffer, region_of(one), write ? TensorMap::Use::write : TensorMap::Use::read,
        [&](uint32_t other) { note(other, false); }, [&](uint32_t other) { return is_over(other); });
    for (uint32_t i = 0; i < found_count_; ++i) {
        const uint32_t slot = found_[i] & ~owner_flag;
        if (is_over(slot)) continue;
        if (!slots_[slot].published) {
            return refuse(CH_ELEMENT_WAIT, where,
                          "task %lld uses the element and starts only when its manual scope ends",
                          static_cast<long long>(slots_[slot].id));
        }
        if (!wait(Wait::element, [&] { return is_over(slot); })) return -CH_INTERRUPTED;
    }
    auto* memory = at<char>(one.address);
    if (write) {
        memcpy(memory, bits, bytes);
        platform::flush_cache(memory, bytes);
    } else {
        platform::invalidate_cache(memory, bytes);
        *bits = 0;
        memcpy(bits, memory, bytes);
    }
    return 0;
}

ch_code Orchestrator::explain_wait(char* text, size_t bytes) const {
    static const char* const what[] = {
        "",          "a slot", "room for new tensors", "room for arguments", "room for edges", "room in the tensor map",
        "an element"};
    if (wait_ == Wait::none) return CH_OK;
    snprintf(text, bytes, " the orchestration waits for %s", what[static_cast<uint32_t>(wait_)]);
    switch (wait_) {
        case Wait::heap:
            return CH_HEAP_DEADLOCK;
        case Wait::edges:
            return CH_DEP_POOL_DEADLOCK;
        case Wait::uses:
            return CH_TENSOR_MAP_DEADLOCK;
        case Wait::element:
            return CH_ELEMENT_WAIT;
        default:
            return CH_WINDOW_DEADLOCK;
    }
}

}  // namespace chiphost::orchestrator
