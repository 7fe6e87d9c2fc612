// SPDX-License-Identifier: Apache-2.0
#include <chiphost/abi/tensor.h>

// Returns the number of rounds that the caller wants. Negative numbers are errors, such as -1 for arguments that are
// not one vector and a number of rounds.
extern "C" int32_t rounds(const ch_task_args* args) {
    if (args->tensor_count != 1 || args->scalar_count != 1) return -1;
    if (args->tensors[0].ndims != 1 || args->tensors[0].dtype != CH_FLOAT32) return -1;
    return args->scalars[0] <= INT32_MAX ? static_cast<int32_t>(args->scalars[0]) : -1;
}
