// SPDX-License-Identifier: Apache-2.0
#include "task_check.h"

#include "status/report.h"

namespace chiphost::graph {

namespace {

Status check_kernels(const Orchestration& plan, const KernelNames& names, const ch_task_spec& spec,
                     ch_error* out_error) {
    static const char* const core_names[] = {"AIC", "AIV0", "AIV1"};
    const auto* types = reinterpret_cast<const uint8_t*>(plan.kernel_types);
    uint32_t used = 0;
    for (uint32_t core = 0; core < 3; ++core) {
        const int32_t func_id = spec.func_id[core];
        if (func_id == -1) continue;
        ++used;
        if (func_id < 0 || func_id > CH_MAX_FUNC_ID) {
            return report(out_error, CH_FUNC_ID_OUT_OF_RANGE, "submit", "%s: wanted func_id 0 to %d or -1, found %d",
                          core_names[core], CH_MAX_FUNC_ID, func_id);
        }
        if (static_cast<uint32_t>(func_id) >= plan.kernel_count || types[func_id] == UINT8_MAX) {
            return report(out_error, CH_KERNEL_MISSING, "submit", "%s: the callable has no kernel of func_id %d",
                          core_names[core], func_id);
        }
        const uint32_t wanted = core == 0 ? CH_AIC : CH_AIV;
        if (types[func_id] != wanted) {
            return report(out_error, CH_CORE_TYPE_INVALID, "submit", "%s: %s was built for %s", core_names[core],
                          names.kernel(func_id).text, types[func_id] == CH_AIC ? "AIC" : "AIV");
        }
    }
    if (used == 0) return report(out_error, CH_TASK_INVALID, "submit", "the task has no kernel");
    return CH_OK;
}

}  // namespace

Status check_new_tensor(const ch_tensor_spec& spec, const char* where, uint32_t number, ch_error* out_error) {
    if (spec.ndims > CH_MAX_DIMS || ch_dtype_bytes(spec.dtype) == 0) {
        return report(out_error, CH_TASK_INVALID, where,
                      "new tensor %u: wanted at most %d dimensions and a dtype, found %u, %u", number, CH_MAX_DIMS,
                      spec.ndims, spec.dtype);
    }
    if (ch_shape_elements(spec.shape, spec.ndims) > UINT32_MAX) {
        return report(out_error, CH_TASK_INVALID, where, "new tensor %u: wanted fewer than 2^32 elements", number);
    }
    return CH_OK;
}

Status check_task(const Orchestration& plan, const KernelNames& names, const ch_task_spec& spec, ch_error* out_error) {
    if (spec.struct_bytes < CH_TASK_SPEC_BYTES_MIN) {
        return report(out_error, CH_ABI_MISMATCH, "submit", "wanted a task of %d bytes or more, found %u",
                      CH_TASK_SPEC_BYTES_MIN, spec.struct_bytes);
    }
    CH_TRY(check_kernels(plan, names, spec, out_error));
    if (spec.tensor_count > CH_MAX_TASK_TENSORS || spec.scalar_count > CH_MAX_TASK_SCALARS) {
        return report(out_error, CH_TOO_MANY_TASK_ARGS, "submit",
                      "wanted at most %d tensors and %d scalars, found %u and %u", CH_MAX_TASK_TENSORS,
                      CH_MAX_TASK_SCALARS, spec.tensor_count, spec.scalar_count);
    }
    if (spec.block_num == 0 || spec.block_num > INT32_MAX / 3) {
        return report(out_error, CH_TASK_INVALID, "submit", "wanted 1 to %d blocks, found %u", INT32_MAX / 3,
                      spec.block_num);
    }
    if ((spec.tensor_count && !spec.tensors) || (spec.scalar_count && !spec.scalars) ||
        (spec.after_count && !spec.after)) {
        return report(out_error, CH_TASK_INVALID, "submit",
                      "%u tensors, %u scalars, %u tasks before it: a list is NULL", spec.tensor_count,
                      spec.scalar_count, spec.after_count);
    }
    for (uint32_t i = 0; i < spec.tensor_count; ++i) {
        const ch_task_tensor& tensor = spec.tensors[i];
        if (tensor.role > CH_ROLE_NO_DEP) {
            return report(out_error, CH_TASK_INVALID, "submit", "tensor %u: wanted a role of 0 to 4, found %u", i,
                          tensor.role);
        }
        if (tensor.role != CH_ROLE_OUTPUT) continue;
        if (!tensor.spec) return report(out_error, CH_TASK_INVALID, "submit", "new tensor %u: there is none", i);
        CH_TRY(check_new_tensor(*tensor.spec, "submit", i, out_error));
    }
    return CH_OK;
}

Status check_tensor(const ch_device_tensor* tensor, const char* where, uint32_t number, TensorRegion* out_region,
                    ch_error* out_error) {
    if (!tensor) return report(out_error, CH_TASK_INVALID, where, "tensor %u: there is none", number);
    if (tensor->buffer == 0) {
        return report(out_error, CH_TASK_INVALID, where,
                      "tensor %u was never made: it is a DeviceTensor that nothing was assigned to", number);
    }
    if (tensor->ndims > CH_MAX_DIMS || ch_dtype_bytes(tensor->dtype) == 0) {
        return report(out_error, CH_TASK_INVALID, where,
                      "tensor %u: wanted at most %d dimensions and a dtype, found %u and %u", number, CH_MAX_DIMS,
                      tensor->ndims, tensor->dtype);
    }
    if (!is_box(*tensor)) {
        return report(
            out_error, CH_TASK_INVALID, where,
            "tensor %u: its lengths, offsets and strides are not those of a box in a row-major array of fewer "
            "than 2^32 elements",
            number);
    }
    const TensorRegion& region = *out_region = region_of(*tensor);
    if (region.first_byte == region.end_byte) return CH_OK;  // nobody will touch it
    if (region.first_byte < tensor->buffer || region.first_byte - tensor->buffer > tensor->buffer_bytes ||
        region.end_byte - tensor->buffer > tensor->buffer_bytes) {
        return report(out_error, CH_TASK_INVALID, where, "tensor %u: bytes %lld to %lld of a buffer of %llu bytes",
                      number, static_cast<long long>(region.first_byte - tensor->buffer),
                      static_cast<long long>(region.end_byte - tensor->buffer),
                      static_cast<unsigned long long>(tensor->buffer_bytes));
    }
    return CH_OK;
}

}  // namespace chiphost::graph
