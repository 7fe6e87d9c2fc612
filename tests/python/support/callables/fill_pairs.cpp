// SPDX-License-Identifier: Apache-2.0
//
// Kernel for every runtime: out[0], out[1] = two scalars of two bytes, as floats.
//
//   args[0]  out
//   args[1]  float16
//   args[2]  bfloat16
#include <chiphost/float16.h>
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    float* out = chiphost::tensor_data<float>(args, 0);
    out[0] = chiphost::scalar_arg<chiphost::float16>(args, 1);
    out[1] = chiphost::scalar_arg<chiphost::bfloat16>(args, 2);
}
