// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: out[i] = sqrt(ln x[i])
//
//   args[0]  x         const float16[elements], each 1 or more
//   args[1]  out       float16[elements], does not overlap x
//   args[2]  elements  uint64_t
#include <chiphost/float16.h>
#include <chiphost/kernel.h>
#include <chiphost/math.h>

using chiphost::float16;

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ float16* __restrict x = chiphost::pointer_arg<const float16>(args, 0);
    __gm__ float16* __restrict out = chiphost::pointer_arg<float16>(args, 1);
    const uint64_t elements = chiphost::scalar_arg<uint64_t>(args, 2);

    for (uint64_t i = 0; i < elements; ++i)
        out[i] = static_cast<float16>(chiphost::sqrt(chiphost::log(static_cast<float>(x[i]))));
}
