// SPDX-License-Identifier: Apache-2.0
#include "orchestrator.h"

#include <stdio.h>
#include <string.h>

#include <exception>

#include "graph/task_check.h"
#include "new_tensor.h"
#include "os/float_state.h"
#include "status/report.h"

namespace chiphost::orchestrator {

using graph::none;
using graph::Slot;
using graph::Task;

namespace {

constexpr uint64_t record_alignment = 64;

template <typename T>
T* at(uint64_t address) {
    return reinterpret_cast<T*>(address);
}

constexpr uint64_t aligned(uint64_t bytes, uint64_t alignment) {
    return (bytes + alignment - 1) / alignment * alignment;
}

uint32_t ring_of(int64_t task) {
    return static_cast<uint32_t>(static_cast<uint64_t>(task) >> 32);
}

const char* plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

}  // namespace

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
    producers_.begin(at<uint32_t>(plan_->found), at<uint32_t>(plan_->marks), plan_->slot_count);
    infers_ = plan_->root_scope == graph::RootScope::automatic;
    map_.begin(at<TensorMap::Entry>(plan_->map_entries), plan_->map_capacity,
               at<TensorMap::Bucket>(plan_->map_buckets));
    strand_.begin(port, machine);
    room_.begin(plan_, *image, &map_, &strand_);
}

bool Orchestrator::go_on() {
    return strand_.go_on([](void* orchestrator) { static_cast<Orchestrator*>(orchestrator)->run(); }, this);
}

// On the strand.
void Orchestrator::run() {
    if (machine_->stopped()) return;  // cut off before it began
    scopes_[0] = {++scope_serial_, infers_ ? CH_SCOPE_AUTO : CH_SCOPE_MANUAL, none, none};
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
    os::FloatState().restore();
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
    for (uint32_t ring = 0; ring < graph::ring_count; ++ring) {
        plan_->heap_touched += room_.ring(ring).heap_touched();
    }
    platform::flush_cache(plan_, sizeof *plan_);
    __atomic_store_n(&image_->task_count, submitted_, __ATOMIC_SEQ_CST);
}

void Orchestrator::fail(int32_t code, const char* text) {
    if (machine_->stopped()) return;
    ch_error error = no_error();
    report(&error, CH_ORCHESTRATION_FATAL, plan_->entry, "%s", text);
    error.detail_code = code;
    machine_->fail(error);
}

void Orchestrator::log(const char* text) {
    if (breathe()) platform::log_line(port_, text);
}

int32_t Orchestrator::cluster_count() {
    return breathe() ? static_cast<int32_t>(cluster_count_) : -CH_INTERRUPTED;
}

int32_t Orchestrator::refuse(ch_code code, const char* where, const char* format, ...) {
    ch_error error;
    va_list values;
    va_start(values, format);
    report_list(&error, code, where, format, values);
    va_end(values);
    machine_->fail(error);
    return -code;
}

// --- what a task may be ----------------------------------------------------------------------------------------------

int32_t Orchestrator::check_tensor(const ch_device_tensor* tensor, bool write, const char* where, uint32_t number,
                                   graph::TensorRegion* out_region) {
    ch_error error;
    if (const Status failed = graph::check_tensor(tensor, where, number, out_region, &error); !failed.ok()) {
        machine_->fail(error);
        return -failed;
    }
    if (tensor->owner >= 0) {
        const uint32_t owner = room_.slot_of(tensor->owner);
        if (owner == none && !room_.was_submitted(tensor->owner)) {
            return refuse(CH_TASK_INVALID, where,
                          "tensor %u: wanted one that a task made, found one of task %lld, "
                          "which there was not",
                          number, static_cast<long long>(tensor->owner));
        }
        if (owner == none || slots_[owner].scope_ended) {
            return refuse(CH_TENSOR_EXPIRED, where, "tensor %u: the scope of task %lld, which made it, has ended",
                          number, static_cast<long long>(tensor->owner));
        }
    }
    const ch_device_tensor* origin = origin_of(*tensor);
    if (!origin) {
        return refuse(CH_TASK_INVALID, where,
                      "tensor %u: wanted a buffer of the run, found %llu bytes at 0x%llx, which are no argument of the "
                      "run and were made by no task that is named",
                      number, static_cast<unsigned long long>(tensor->buffer_bytes),
                      static_cast<unsigned long long>(tensor->buffer));
    }
    if (write && ((tensor->flags | origin->flags) & CH_TENSOR_READ_ONLY)) {
        return refuse(CH_TASK_INVALID, where,
                      "tensor %u must not be written: it is an input by the callable's signature, or its array is "
                      "read-only",
                      number);
    }
    return 0;
}

// The argument of the run, or the new tensor of a task that has a slot, whose buffer this tensor is in. nullptr: an
// orchestration has made the buffer up, and nobody knows what is there.
const ch_device_tensor* Orchestrator::origin_of(const ch_device_tensor& tensor) const {
    const ch_device_tensor* tensors = nullptr;
    uint32_t count = 0;
    if (tensor.owner < 0) {
        const auto& args = *at<const ch_device_args>(plan_->args);
        tensors = args.tensors;
        count = args.tensor_count;
    } else {
        const uint32_t owner = room_.slot_of(tensor.owner);
        tensors =
            reinterpret_cast<const ch_device_tensor*>(args_ + tasks_[owner].first_arg) - slots_[owner].tensor_count;
        count = slots_[owner].output_count;
    }
    const auto is_origin = [&](const ch_device_tensor& known) {
        return known.buffer == tensor.buffer && known.buffer_bytes == tensor.buffer_bytes;
    };
    if (tensor.number < count && is_origin(tensors[tensor.number])) return &tensors[tensor.number];
    // Programs that were compiled before there was a number, or that copy fields, leave it 0.
    for (uint32_t i = 0; i < count; ++i) {
        if (is_origin(tensors[i])) return &tensors[i];
    }
    return nullptr;
}

int32_t Orchestrator::check(const ch_task_spec& spec, Need* out_need) {
    ch_error error;
    if (const Status failed = graph::check_task(*plan_, spec, &error); !failed.ok()) {
        machine_->fail(error);
        return -failed;
    }
    for (uint32_t i = 0; i < spec.after_count; ++i) {
        if (!room_.was_submitted(spec.after[i])) {
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
            CH_TRY(check_tensor(tensor.tensor, writes, "submit", i, &regions_[i]));
            out_need->uses += is_tracked(tensor);
        }
    }
    out_need->room.record_bytes = aligned(
        spec.tensor_count * sizeof(ch_device_tensor) + (spec.tensor_count + spec.scalar_count) * sizeof(uint64_t),
        record_alignment);
    return 0;
}

// Waits for room; 0, or negative if the run has failed or there never will be any.
int32_t Orchestrator::make_room(uint32_t ring, const char* where, Need* need) {
    ch_error error;  // not initialized: it has two kilobytes, and this is called for every task
    const int32_t code = room_.make(ring, where, need, &producers_, &error);
    if (code != CH_OK && code != CH_INTERRUPTED) machine_->fail(error);
    return -code;
}

// --- tasks -----------------------------------------------------------------------------------------------------------

// The tasks that must come before this one.
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

int32_t Orchestrator::submit(const ch_task_spec& spec, ch_task_result* out_result) {
    out_result->id = -1;
    if (!breathe()) return -CH_INTERRUPTED;
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
    return 0;
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
    if (!breathe()) return -CH_INTERRUPTED;
    const uint32_t consumer = room_.slot_of(consumer_id);
    if (consumer == none || slots_[consumer].published) {
        return refuse(CH_TASK_INVALID, "add_dependency",
                      "edge %lld -> %lld: wanted a task of an open manual scope that has not been published",
                      static_cast<long long>(producer_id), static_cast<long long>(consumer_id));
    }
    if (!room_.was_submitted(producer_id)) {
        return refuse(CH_TASK_ID_OUT_OF_RANGE, "add_dependency", "edge %lld -> %lld: there was no task %lld",
                      static_cast<long long>(producer_id), static_cast<long long>(consumer_id),
                      static_cast<long long>(producer_id));
    }
    const uint32_t producer = room_.slot_of(producer_id);
    if (producer == none) return 0;  // gone: it has completed
    if (slots_[producer].serial >= slots_[consumer].serial) {
        return refuse(CH_GRAPH_CYCLE, "add_dependency",
                      "edge %lld -> %lld: wanted a task that was submitted before %lld",
                      static_cast<long long>(producer_id), static_cast<long long>(consumer_id),
                      static_cast<long long>(consumer_id));
    }
    if (room_.is_over(producer)) return 0;
    producers_.clear();
    producers_.add(producer, false);
    Need need;
    need.room.slots = 0;
    need.room.edges = 1;
    CH_TRY(make_room(ring_of(consumer_id), "add_dependency", &need));
    if (producers_.count() == 0) return 0;  // it completed meanwhile
    __atomic_add_fetch(&tasks_[consumer].unmet, 1, __ATOMIC_ACQ_REL);
    if (!link({producer, false}, consumer)) __atomic_sub_fetch(&tasks_[consumer].unmet, 1, __ATOMIC_ACQ_REL);
    return 0;
}

// --- scopes ----------------------------------------------------------------------------------------------------------

int32_t Orchestrator::scope_begin(int32_t mode) {
    if (!breathe()) return -CH_INTERRUPTED;
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
    scopes_[depth_++] = {++scope_serial_, effective, none, none};
    return 0;
}

int32_t Orchestrator::scope_end() {
    if (!breathe()) return -CH_INTERRUPTED;
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
        slots_[slot].scope_ended = 1;
        release(slot);
    }
    room_.ring(ring).scope_ended(ended.serial);
    room_.reclaim(ring);
    return 0;
}

// --- elements --------------------------------------------------------------------------------------------------------

int32_t Orchestrator::tensor_at(uint64_t address, const ch_tensor_spec& spec, ch_device_tensor* out_tensor) {
    if (!breathe()) return -CH_INTERRUPTED;
    ch_error error;
    if (const Status failed = graph::check_new_tensor(spec, "tensor_at", 0, &error); !failed.ok()) {
        machine_->fail(error);
        return -failed;
    }
    const uint64_t bytes = ch_shape_bytes(spec.shape, spec.ndims, spec.dtype);
    const auto& args = *at<const ch_device_args>(plan_->args);
    for (uint32_t i = 0; i < args.tensor_count; ++i) {
        const ch_device_tensor& argument = args.tensors[i];
        if (address < argument.buffer || address - argument.buffer > argument.buffer_bytes ||
            argument.buffer_bytes - (address - argument.buffer) < bytes) {
            continue;
        }
        *out_tensor = argument;
        out_tensor->address = address;
        out_tensor->dtype = spec.dtype;
        out_tensor->flags = static_cast<uint8_t>((argument.flags & CH_TENSOR_READ_ONLY) | spec.flags);
        ch_set_row_major(out_tensor, spec.shape, spec.ndims);
        return 0;
    }
    return refuse(CH_TASK_INVALID, "tensor_at", "%llu bytes at 0x%llx are in no tensor argument of the run",
                  static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(address));
}

int32_t Orchestrator::access_element(const ch_device_tensor& tensor, const uint32_t* indices, bool write,
                                     uint64_t* bits) {
    if (!breathe()) return -CH_INTERRUPTED;
    const char* where = write ? "set_element" : "get_element";
    CH_TRY(check_tensor(&tensor, write, where, 0, &regions_[0]));
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
    producers_.clear();
    if (tensor.owner >= 0) producers_.add(room_.slot_of(tensor.owner), true);
    map_.find(
        one.buffer, graph::region_of(one), write ? TensorMap::Use::write : TensorMap::Use::read,
        [&](uint32_t other) { producers_.add(other, false); }, [&](uint32_t other) { return room_.is_over(other); });
    for (uint32_t i = 0; i < producers_.count(); ++i) {
        const uint32_t slot = producers_.at(i).slot;
        if (room_.is_over(slot)) continue;
        if (!slots_[slot].published) {
            return refuse(CH_ELEMENT_WAIT, where,
                          "task %lld uses the element and starts only when its manual scope ends",
                          static_cast<long long>(slots_[slot].id));
        }
        if (!strand_.wait(Missing::element, [&] { return room_.is_over(slot); })) return -CH_INTERRUPTED;
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
    const Missing missing = strand_.missing();
    if (missing == Missing::none) return CH_OK;
    snprintf(text, bytes, " the orchestration waits for %s", what[static_cast<uint32_t>(missing)]);
    switch (missing) {
        case Missing::heap:
            return CH_HEAP_DEADLOCK;
        case Missing::edges:
            return CH_DEP_POOL_DEADLOCK;
        case Missing::uses:
            return CH_TENSOR_MAP_DEADLOCK;
        case Missing::element:
            return CH_ELEMENT_WAIT;
        default:
            return CH_WINDOW_DEADLOCK;
    }
}

}  // namespace chiphost::orchestrator
