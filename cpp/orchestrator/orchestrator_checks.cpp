// SPDX-License-Identifier: Apache-2.0
//
// The orchestrator's checks: which tasks and tensors an orchestration may submit.
#include "chiphost/align.h"
#include "graph/task_check.h"
#include "new_tensor.h"
#include "orchestrator.h"
#include "status/report.h"

namespace chiphost::orchestrator {

using graph::none;

Status Orchestrator::check_tensor(const ch_device_tensor* tensor, bool write, const char* where, uint32_t number,
                                  graph::TensorRegion* out_region) {
    ch_error error;
    if (graph::check_tensor(tensor, where, number, out_region, &error) != CH_OK) {
        say_whose(tensor, number, &error);
        return fail_call(&error);
    }
    if (tensor->owner >= 0) {
        const uint32_t owner = room_.slot_of(tensor->owner);
        if (owner == none && !room_.was_submitted(tensor->owner)) {
            return refuse(CH_TASK_INVALID, where,
                          "tensor %u: wanted one that a task made, found one of %s, which there was not", number,
                          graph::task_id_text(tensor->owner).text);
        }
        if (owner == none || slots_[owner].scope_ended) {
            const graph::NameText made_by =
                owner == none ? graph::task_id_text(tensor->owner) : names_.task(tasks_[owner]);
            return refuse(CH_TENSOR_EXPIRED, where, "tensor %u: the scope of %s, which made it, has ended", number,
                          made_by.text);
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
        report(&error, CH_TASK_INVALID, where,
               "tensor %u must not be written: it is an input by the callable's signature, or its array is read-only",
               number);
        say_whose(tensor, number, &error);
        return fail_call(&error);
    }
    return CH_OK;
}

void Orchestrator::say_whose(const ch_device_tensor* tensor, uint32_t number, ch_error* error) const {
    if (!tensor || tensor->buffer == 0 || (tensor->owner >= 0 && room_.slot_of(tensor->owner) == none)) return;
    const ch_device_tensor* origin = origin_of(*tensor);
    if (!origin) return;
    if (tensor->owner < 0) {
        append(error, "; tensor %u is [argument %u]", number, origin->number);
        return;
    }
    append(error, "; tensor %u is output %u of %s", number, origin->number,
           names_.task(tasks_[room_.slot_of(tensor->owner)]).text);
}

// The argument of the run, or the new tensor of a task that has a slot, whose buffer this tensor is in. nullptr: an
// orchestration has made the buffer up, and nobody knows what is there.
const ch_device_tensor* Orchestrator::origin_of(const ch_device_tensor& tensor) const {
    const ch_device_tensor* tensors = nullptr;
    uint32_t count = 0;
    if (tensor.owner < 0) {
        const auto& args = run_args();
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

Status Orchestrator::check(const ch_task_spec& spec, Need* out_need) {
    ch_error error;
    if (graph::check_task(*plan_, names_, spec, &error) != CH_OK) return fail_call(&error);
    for (uint32_t i = 0; i < spec.after_count; ++i) {
        if (!room_.was_submitted(spec.after[i])) {
            return refuse(CH_TASK_ID_OUT_OF_RANGE, "submit", "after %s: there was no such task",
                          graph::task_id_text(spec.after[i]).text);
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
    out_need->room.record_bytes = align_up(spec.tensor_count * sizeof(ch_device_tensor) +
                                           (spec.tensor_count + spec.scalar_count) * sizeof(uint64_t));
    return CH_OK;
}

}  // namespace chiphost::orchestrator
