// SPDX-License-Identifier: Apache-2.0
//
// Elements that an orchestration reads and writes itself, and tensors that it finds at addresses.
#include <string.h>

#include "graph/task_check.h"
#include "orchestrator.h"

namespace chiphost::orchestrator {

Status Orchestrator::tensor_at(uint64_t address, const ch_tensor_spec& spec, ch_device_tensor* out_tensor) {
    if (!breathe()) return CH_INTERRUPTED;
    ch_error error;
    if (graph::check_new_tensor(spec, "tensor_at", 0, &error) != CH_OK) return fail_call(&error);
    const uint64_t bytes = ch_shape_bytes(spec.shape, spec.ndims, spec.dtype);
    const auto& args = run_args();
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
        return CH_OK;
    }
    return refuse(CH_TASK_INVALID, "tensor_at", "%llu bytes at 0x%llx are in no tensor argument of the run",
                  static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(address));
}

Status Orchestrator::access_element(const ch_device_tensor& tensor, const uint32_t* indices, bool write,
                                    uint64_t* bits) {
    if (!breathe()) return CH_INTERRUPTED;
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
            return refuse(
                CH_ELEMENT_WAIT, where,
                "%s uses the element and starts only when its manual scope ends; who waits for whom: the "
                "orchestration waits for that task, which waits for the end of its scope, which waits for the "
                "orchestration: a cycle",
                names_.task(tasks_[slot]).text);
        }
        waited_for_ = slot;
        if (!strand_.wait(Missing::element, [&] { return room_.is_over(slot); })) return CH_INTERRUPTED;
    }
    if (observer_) observer_->element(observer_->self, one, write, called_from_);
    auto* memory = reinterpret_cast<char*>(one.address);
    if (write) {
        memcpy(memory, bits, bytes);
        platform::flush_cache(memory, bytes);
    } else {
        platform::invalidate_cache(memory, bytes);
        *bits = 0;
        memcpy(bits, memory, bytes);
    }
    return CH_OK;
}

}  // namespace chiphost::orchestrator
