// SPDX-License-Identifier: Apache-2.0
//
// The orchestrator's tasks: room for them, what they wait for, and when the scheduler gets to know them.
#include <string.h>

#include "new_tensor.h"
#include "orchestrator.h"

namespace chiphost::orchestrator {

using graph::none;
using graph::Slot;
using graph::Task;

namespace {

uint32_t ring_of(int64_t task) {
    return static_cast<uint32_t>(static_cast<uint64_t>(task) >> 32);
}

}  // namespace

// Waits for room. Fails if the run has failed, or if there will never be any.
Status Orchestrator::make_room(uint32_t ring, const char* where, Need* need) {
    ch_error error;  // not initialized: it has two kilobytes, and this is called for every task
    const Status failed = room_.make(ring, where, need, &producers_, &error);
    if (!failed.ok() && failed != CH_INTERRUPTED) return fail_call(&error);
    return failed;
}

// Lists the tasks that must come before this one.
void Orchestrator::find_producers(const ch_task_spec& spec) {
    producers_.clear();
    for (uint32_t i = 0; i < spec.tensor_count; ++i) {
        const ch_task_tensor& tensor = spec.tensors[i];
        if (tensor.role == CH_ROLE_OUTPUT || tensor.tensor->owner < 0) continue;
        producers_.add(room_.slot_of(tensor.tensor->owner), true);
    }
    for (uint32_t i = 0; i < spec.tensor_count && scope().mode == CH_SCOPE_AUTO; ++i) {
        const ch_task_tensor& tensor = spec.tensors[i];
        if (!is_tracked(tensor)) continue;
        const auto use = tensor.role == CH_ROLE_INPUT ? TensorMap::Use::read : TensorMap::Use::write;
        map_.find(
            tensor.tensor->buffer, regions_[i], use, [&](uint32_t other) { producers_.add(other, false); },
            [&](uint32_t other) { return room_.is_over(other); });
    }
    for (uint32_t i = 0; i < spec.after_count; ++i) {
        const uint32_t slot = room_.slot_of(spec.after[i]);
        if (slot != none && !room_.is_over(slot)) producers_.add(slot, false);
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
    // A tensor without elements takes no room; an address tells it from one that was never made.
    uint64_t heap = place.heap != 0 ? place.heap : room_.ring(ring_of(task.id)).sizes().heap;
    for (uint32_t i = 0; i < spec.tensor_count; ++i) {
        const ch_task_tensor& tensor = spec.tensors[i];
        ch_device_tensor* to = nullptr;
        if (tensor.role == CH_ROLE_OUTPUT) {
            to = tensors + next_output;
            *to = make_new_tensor(*tensor.spec, heap, task.id, next_output++);
            heap += new_tensor_heap_bytes(*tensor.spec);
        } else {
            to = tensors + next_other++;
            *to = *tensor.tensor;
            to->reserved = 0;
        }
        words[i] = reinterpret_cast<uint64_t>(to);
    }
    if (spec.scalar_count != 0) memcpy(words + spec.tensor_count, spec.scalars, spec.scalar_count * sizeof(uint64_t));
    platform::flush_cache(tensors, spec.tensor_count * sizeof(ch_device_tensor));
    task.first_arg = static_cast<uint32_t>(words - args_);
    task.arg_count = static_cast<uint16_t>(spec.tensor_count + spec.scalar_count);
    slots_[place.slot].output_count = static_cast<uint8_t>(outputs);
    slots_[place.slot].tensor_count = static_cast<uint8_t>(spec.tensor_count);
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
    task.submitted_from = called_from_;
    task.submission = submitted_;
}

// Puts the task into the innermost scope.
void Orchestrator::fill_slot(uint32_t index) {
    Slot& slot = slots_[index];
    slot.id = tasks_[index].id;
    slot.serial = ++submitted_;
    slot.first_predecessor = none;
    slot.first_use = none;
    slot.published = 0;
    slot.scope_ended = 0;
    slot.scope = scope().serial;
    slot.next_in_scope = none;
    __atomic_store_n(&slot.holds, 2, __ATOMIC_RELAXED);  // the task itself and its scope
    if (scope().last == none) {
        scope().first = index;
    } else {
        slots_[scope().last].next_in_scope = index;
    }
    scope().last = index;
}

void Orchestrator::tell_observer(const ch_task_spec& spec, const ch_task_result& result) const {
    const bool automatic = scopes_[depth_ - 1].mode == CH_SCOPE_AUTO;
    observer_->submitted(observer_->self,
                         {result.id, &spec, result.outputs, called_from_, scopes_[depth_ - 1].serial, automatic});
    for (uint32_t i = 0; i < producers_.count(); ++i) {
        observer_->waits(observer_->self, slots_[producers_.at(i).slot].id, result.id);
    }
}

Status Orchestrator::submit(const ch_task_spec& spec, ch_task_result* out_result) {
    out_result->id = -1;
    if (!breathe()) return CH_INTERRUPTED;
    submitting_ = &spec;
    Need need;
    CH_TRY(check(spec, &need));
    const uint32_t ring_number = ring_of_scope();
    TaskRing& ring = room_.ring(ring_number);
    CH_TRY(make_room(ring_number, "submit", &need));
    // Nobody but this function takes room, so what there is now stays until the end of it.
    find_producers(spec);
    need.room.edges = producers_.count();
    if (need.room.edges > ring.free_edges()) {
        CH_TRY(make_room(ring_number, "submit", &need));
    }
    if (ring.next_number() == UINT32_MAX) {
        return refuse(CH_TOO_MANY_TASKS, "submit", "ring %u has numbered %u tasks", ring_number, ring.next_number());
    }

    const TaskRing::Place place = ring.take(need.room, scope().serial, slots_);
    const uint32_t index = place.slot;
    Task& task = tasks_[index];
    Slot& slot = slots_[index];
    fill_task(spec, index, static_cast<int64_t>(uint64_t{ring_number} << 32 | place.number));
    write_record(spec, place, out_result);
    fill_slot(index);
    if (observer_) tell_observer(spec, *out_result);

    // One more than there are producers: nobody starts the task before it is published.
    __atomic_store_n(&task.unmet, producers_.count() + 1, __ATOMIC_RELAXED);
    uint32_t satisfied = 0;
    for (uint32_t i = 0; i < producers_.count(); ++i) {
        const ProducerList::Producer producer = producers_.at(i);
        const bool needless = !producer.owner && room_.is_over(producer.slot);
        if (needless || !link(producer, index)) ++satisfied;
    }
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
    submitting_ = nullptr;
    return CH_OK;
}

// Adds an edge. False: the producer has completed, there is nothing to wait for. An owner, whose scope is open, is held
// until the consumer has completed, for the memory of its tensors. Any other may be gone as soon as it has completed:
// whether there is room must not depend on tasks that are done.
bool Orchestrator::link(ProducerList::Producer producer, uint32_t consumer) {
    const uint32_t edge = room_.ring(ring_of(slots_[consumer].id)).take_edge();
    if (producer.owner) {
        __atomic_add_fetch(&slots_[producer.slot].holds, 1, __ATOMIC_ACQ_REL);
        predecessors_[edge] = {producer.slot, slots_[consumer].first_predecessor};
        slots_[consumer].first_predecessor = edge;
    }
    edges_[edge].successor = consumer;
    // A list stays closed until the slot is taken again, which only this thread does.
    uint32_t first = __atomic_load_n(&tasks_[producer.slot].first_edge, __ATOMIC_ACQUIRE);
    do {
        if (first == graph::closed) return false;
        edges_[edge].next = first;
    } while (!__atomic_compare_exchange_n(&tasks_[producer.slot].first_edge, &first, edge, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return true;
}

void Orchestrator::completed(uint32_t index) {
    if (observer_) observer_->completed(observer_->self, slots_[index].id);
    for (uint32_t entry = slots_[index].first_predecessor, next; entry != none; entry = next) {
        next = predecessors_[entry].next;
        release(predecessors_[entry].slot);
    }
    release(index);
}

// Names a task that an orchestration has named by its id.
graph::NameText Orchestrator::task_text(int64_t id) const {
    const uint32_t slot = room_.slot_of(id);
    return slot == none ? graph::task_id_text(id) : names_.task(tasks_[slot]);
}

Status Orchestrator::add_dependency(int64_t producer_id, int64_t consumer_id) {
    if (!breathe()) return CH_INTERRUPTED;
    const uint32_t consumer = room_.slot_of(consumer_id);
    if (consumer == none || slots_[consumer].published) {
        return refuse(CH_TASK_INVALID, "add_dependency",
                      "edge from %s to %s: wanted it to a task of an open manual scope that has not been published",
                      task_text(producer_id).text, task_text(consumer_id).text);
    }
    if (!room_.was_submitted(producer_id)) {
        return refuse(CH_TASK_ID_OUT_OF_RANGE, "add_dependency",
                      "edge from %s to %s: there was no such task as the first", task_text(producer_id).text,
                      task_text(consumer_id).text);
    }
    if (observer_) observer_->depends(observer_->self, producer_id, consumer_id);
    const uint32_t producer = room_.slot_of(producer_id);
    if (producer == none) return CH_OK;  // gone: it has completed
    if (slots_[producer].serial >= slots_[consumer].serial) {
        return refuse(CH_GRAPH_CYCLE, "add_dependency",
                      "edge from %s to %s: wanted it from a task that was submitted before the second",
                      task_text(producer_id).text, task_text(consumer_id).text);
    }
    if (room_.is_over(producer)) return CH_OK;
    producers_.clear();
    producers_.add(producer, false);
    Need need;
    need.room.slots = 0;
    need.room.edges = 1;
    CH_TRY(make_room(ring_of(consumer_id), "add_dependency", &need));
    if (producers_.count() == 0) return CH_OK;  // it completed meanwhile
    __atomic_add_fetch(&tasks_[consumer].unmet, 1, __ATOMIC_ACQ_REL);
    if (!link({producer, false}, consumer)) __atomic_sub_fetch(&tasks_[consumer].unmet, 1, __ATOMIC_ACQ_REL);
    return CH_OK;
}

}  // namespace chiphost::orchestrator
