// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "pto_orchestration_api.h"

#define FUNC_SCALE 0
#define FUNC_ADD 1

extern "C" {

PTO2OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs& orch_args) {
    (void)orch_args;
    return PTO2OrchestrationConfig{.expected_arg_count = 4};
}

void aicpu_orchestration_entry(const ChipStorageTaskArgs& orch_args, int orch_thread_num, int orch_thread_index) {
    (void)orch_thread_num;
    (void)orch_thread_index;
    Tensor x = from_tensor_arg(orch_args.tensor(0));
    Tensor y = from_tensor_arg(orch_args.tensor(1));
    Tensor out = from_tensor_arg(orch_args.tensor(2));
    uint32_t rows = orch_args.tensor(0).shapes[0];
    uint32_t columns = orch_args.tensor(0).shapes[1];

    for (uint32_t row = 0; row < rows; ++row) {
        PTO2_SCOPE() {
            uint32_t shape[2] = {1, columns};
            uint32_t offset[2] = {row, 0};
            Tensor x_row = x.view(shape, offset);
            Tensor y_row = y.view(shape, offset);
            Tensor out_row = out.view(shape, offset);

            TensorCreateInfo scaled_info(shape, 2, DataType::FLOAT32);
            Arg scale;
            scale.add_input(x_row);
            scale.add_output(scaled_info);
            scale.add_scalar(orch_args.scalar(0));
            TaskOutputTensors scaled = pto2_rt_submit_aiv_task(FUNC_SCALE, scale);

            Arg add;
            add.add_input(scaled.get_ref(0));
            add.add_input(y_row);
            add.add_output(out_row);
            pto2_rt_submit_aiv_task(FUNC_ADD, add);
        }
    }
}
}
