// SPDX-License-Identifier: Apache-2.0
//
// Checks of the names that orchestrations of both runtimes on the AICPU have.
#pragma once

#include <string.h>

#include "checks.h"
#include "pto_orchestration_api.h"

static inline void check_tensors(const Tensor& x) {
    static_assert(RUNTIME_MAX_TENSOR_DIMS == 5, "dimensions of tensors");
    CHECK(x.ndims == 2 && x.shapes[0] == 4 && x.shapes[1] == 8 && x.dtype == DataType::FLOAT32);
    CHECK(x.numel() == 32 && x.is_contiguous() && x.start_offset == 0);
    CHECK(strstr(x.dump().c_str(), "[4, 8]") != nullptr);

    const uint32_t shape[2] = {2, 3}, offset[2] = {1, 5};
    const Tensor view = x.view(shape, offset);
    CHECK(view.numel() == 6 && !view.is_contiguous() && view.shapes[1] == 3);
    CHECK(view.raw_shapes[0] == 4 && view.raw_shapes[1] == 8 && view.offsets[0] == 1 && view.offsets[1] == 5);
    CHECK(view.buffer.addr + 4 * view.start_offset == x.buffer.addr + 4 * (1 * 8 + 5));

    const Tensor columns = x.transpose(0, 1);
    CHECK(columns.shapes[0] == 8 && columns.shapes[1] == 4 && !columns.is_contiguous());
    const uint32_t flat[1] = {32};
    CHECK(x.reshape(flat, 1).ndims == 1 && x.reshape(flat, 1).buffer.addr == x.buffer.addr);
}

static inline void check_task_arguments(const Tensor& x) {
    static_assert(MAX_TENSOR_ARGS == 16 && MAX_SCALAR_ARGS == 128, "arguments of a task");
    const TensorCreateInfo made(x.shapes, x.ndims);
    const int32_t minus_one[1] = {-1};
    const uint64_t words[2] = {7, 8};
    Arg arg;
    arg.add_input(x);
    arg.add_inout(x);
    arg.add_no_dep(x);
    arg.add_output(made);
    arg.add_scalar(1.0f);
    arg.add_scalars(words, 2);
    arg.add_scalars_i32(minus_one, 1);
    CHECK(arg.tensor_count() == 4 && arg.scalar_count() == 4);
    Arg copy;
    copy.copy_scalars_from(arg, 1, 3);
    CHECK(copy.tensor_count() == 0 && copy.scalar_count() == 3);
    arg.launch_spec.set_block_num(5);
    arg.reset();
    CHECK(arg.tensor_count() == 0 && arg.scalar_count() == 0 && arg.launch_spec.block_num() == 5);

    PTO2LaunchSpec launch;
    CHECK(launch.block_num() == 1 && launch.core_num() == 1);
    launch.set_block_num(2);
    CHECK(launch.block_num() == 2);
    launch.set_core_num(3);
    CHECK(launch.core_num() == 3);

    static_assert(INVALID_KERNEL_ID == -1, "no kernel");
    const MixedKernels kernels;
    CHECK(kernels.aic_kernel_id == INVALID_KERNEL_ID && kernels.aiv0_kernel_id == INVALID_KERNEL_ID &&
          kernels.aiv1_kernel_id == INVALID_KERNEL_ID);
    const TaskOutputTensors nothing;
    CHECK(nothing.empty() && nothing.size() == 0);
}

static inline void check_ids() {
    const PTO2TaskId first, second{2};
    CHECK(first.raw == 0 && first.is_valid() && second.raw == 2);
    CHECK(first != second && second == PTO2TaskId{2});
    CHECK(!PTO2TaskId::invalid().is_valid() && PTO2TaskId::invalid() != first);
}
