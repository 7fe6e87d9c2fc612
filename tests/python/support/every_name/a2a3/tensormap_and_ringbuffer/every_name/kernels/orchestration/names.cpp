// SPDX-License-Identifier: Apache-2.0
#include "../../../../../device_checks.h"

extern "C" {

PTO2OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs& args) {
    CHECK(args.tensor_count() == 2);
    return PTO2OrchestrationConfig{.expected_arg_count = 3};
}

void aicpu_orchestration_entry(const ChipStorageTaskArgs& orch_args, int orch_thread_num, int orch_thread_index) {
    CHECK(orch_thread_num == 1 && orch_thread_index == 0);
    check_types();
    check_arguments(orch_args);
    check_tensors(from_tensor_arg(orch_args.tensor(0)));
    check_task_arguments(from_tensor_arg(orch_args.tensor(0)));
    check_ids();
    PTO2Runtime* runtime = pto2_current_runtime();
    CHECK(runtime != nullptr && !pto2_rt_is_fatal());
    LOG_ERROR("%d", 1);
    LOG_WARN("%d", 2);
    LOG_INFO("%d", 3);
    LOG_DEBUG("%d", 4);
    LOG_ALWAYS("%d", 5);

    const uint32_t flat[1] = {32}, half[1] = {16};
    Tensor x = make_tensor_external(orch_args.tensor(0).data_as<void>(), flat, 1, DataType::FLOAT32);
    Tensor y = from_tensor_arg(orch_args.tensor(1)).reshape(flat, 1);
    const int32_t minus_one[1] = {-1};
    PTO2_SCOPE() {
        for (uint32_t begin : {0u, 16u}) {
            const uint32_t offset[1] = {begin};
            Tensor in = x.view(half, offset), out = y.view(half, offset);
            TensorCreateInfo made(half, 1);
            Arg first;
            first.add_input(in);
            first.add_output(made);
            first.add_scalar(orch_args.scalar(0));
            first.add_scalars_i32(minus_one, 1);
            first.launch_spec.set_block_num(3);
            TaskOutputTensors outputs = pto2_rt_submit_aiv_task(0, first);
            CHECK(!outputs.empty() && outputs.size() == 1);
            Arg second;
            second.add_input(outputs.get_ref(0));
            second.add_output(out);
            second.add_scalar(2.0f);
            second.copy_scalars_from(first, 1, 1);
            MixedKernels kernels;
            (begin == 0 ? kernels.aiv0_kernel_id : kernels.aiv1_kernel_id) = 0;
            pto2_rt_submit_task(kernels, second);
        }
    }
    PTO2_SCOPE_GUARD();
    pto2_rt_scope_begin();
    {
        PTO2ScopeGuard inner;
        TensorCreateInfo ones(flat, 1);
        ones.set_initial_value(1.0f);
        const uint64_t words[2] = {7, 8};
        Arg keep;
        keep.add_output(ones);
        keep.add_inout(y);
        keep.add_no_dep(x);
        keep.add_scalars(words, 2);
        pto2_rt_submit_aic_task(1, keep);
        MixedKernels kernels;
        kernels.aic_kernel_id = 1;
        pto2_rt_submit_task(kernels, keep);
    }
    pto2_rt_scope_end();

    const uint32_t last[1] = {31};
    CHECK(get_tensor_data<float>(y, 1, last) == 2 * 1.5f * 31);
    set_tensor_data(y, 1, last, 0.0f);
    CHECK(get_tensor_data<float>(y, 1, last) == 0);
    set_tensor_data(y, 1, last, 2 * 1.5f * 31);
    pto2_rt_orchestration_done();
}
}
