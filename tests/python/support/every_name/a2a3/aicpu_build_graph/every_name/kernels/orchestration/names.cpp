// SPDX-License-Identifier: Apache-2.0
#include "../../../../../device_checks.h"

extern "C" {

PTO2OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs& args) {
    CHECK(args.tensor_count() == 2);
    return PTO2OrchestrationConfig{.expected_arg_count = 3};
}

void aicpu_orchestration_entry(PTO2Runtime* rt, const ChipStorageTaskArgs& orch_args, int orch_thread_num,
                               int orch_thread_index) {
    CHECK(orch_thread_num == 1 && orch_thread_index == 0);
    check_types();
    check_arguments(orch_args);
    check_tensors(from_tensor_arg(orch_args.tensor(0)));
    check_task_arguments(from_tensor_arg(orch_args.tensor(0)));
    check_ids();
    CHECK(!pto2_rt_is_fatal(rt));
    LOG_ERROR(rt, "%d", 1);
    LOG_WARN(rt, "%d", 2);
    LOG_INFO(rt, "%d", 3);
    LOG_DEBUG(rt, "%d", 4);
    LOG_ALWAYS(rt, "%d", 5);

    const uint32_t flat[1] = {32}, half[1] = {16};
    Tensor x = make_tensor_external(orch_args.tensor(0).data_as<void>(), flat, 1, DataType::FLOAT32);
    Tensor y = from_tensor_arg(orch_args.tensor(1)).reshape(flat, 1);
    const int32_t minus_one[1] = {-1};
    PTO2TaskId scaled[2];
    PTO2_SCOPE(rt) {
        for (uint32_t begin : {0u, 16u}) {
            const uint32_t offset[1] = {begin};
            Tensor in = x.view(half, offset), out = y.view(half, offset);
            Arg first;
            first.add_input(in);
            first.add_output(TensorCreateInfo(half, 1));
            first.add_scalar(orch_args.scalar(0));
            first.add_scalars_i32(minus_one, 1);
            first.launch_spec.set_core_num(3);
            SubmitResult one = pto2_rt_submit_aiv_task(rt, 0, first);
            TaskOutputTensors outputs = one.outputs;
            CHECK(!outputs.empty() && outputs.size() == 1 && one.task_id.is_valid());
            Arg second;
            second.add_input(outputs.get_ref(0));
            second.add_inout(out);
            second.add_scalar(to_u64(2.0f));
            second.copy_scalars_from(first, 1, 1);
            MixedKernels kernels;
            (begin == 0 ? kernels.aiv0_kernel_id : kernels.aiv1_kernel_id) = 0;
            SubmitResult two = pto2_rt_submit_task(rt, kernels, second);
            pto2_rt_add_dependency(rt, one.task_id, two.task_id);
            scaled[begin / 16] = two.task_id;
        }
    }
    PTO2_SCOPE_GUARD(rt);
    pto2_rt_scope_begin(rt);
    {
        PTO2ScopeGuard inner(rt);
        TensorCreateInfo ones(flat, 1);
        ones.set_initial_value(1.0f);
        const uint64_t words[2] = {7, 8};
        Arg keep;
        keep.add_output(ones);
        keep.add_inout(y);
        keep.add_no_dep(x);
        keep.add_scalars(words, 2);
        const PTO2TaskId first = pto2_rt_submit_aic_task(rt, 1, keep).task_id;
        for (PTO2TaskId each : scaled) pto2_rt_add_dependency(rt, each, first);
        MixedKernels kernels;
        kernels.aic_kernel_id = 1;
        pto2_rt_add_dependency(rt, first, pto2_rt_submit_task(rt, kernels, keep).task_id);
    }
    pto2_rt_scope_end(rt);
    pto2_rt_orchestration_done(rt);
}
}
