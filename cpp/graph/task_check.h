// SPDX-License-Identifier: Apache-2.0
//
// Checks that a task is one that can be run.
#pragma once

#include <stdint.h>

#include "chiphost/abi/device_orchestration.h"
#include "chiphost/abi/error.h"
#include "kernel_names.h"
#include "orchestration.h"
#include "status/status.h"
#include "tensor_region.h"

namespace chiphost::graph {

// Checks kernels, counts and new tensors of a task. CH_OK, or a code with *out_error filled.
Status check_task(const Orchestration& plan, const KernelNames& names, const ch_task_spec& spec, ch_error* out_error);

// Checks the `number`-th tensor that is to be made, in the call `where`.
Status check_new_tensor(const ch_tensor_spec& spec, const char* where, uint32_t number, ch_error* out_error);

// Checks that a tensor was made and lies in the buffer that it names; *out_region is where. `where` names the call,
// `number` the argument.
Status check_tensor(const ch_device_tensor* tensor, const char* where, uint32_t number, TensorRegion* out_region,
                    ch_error* out_error);

}  // namespace chiphost::graph
