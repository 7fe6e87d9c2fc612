// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: v = 3 * v + addend modulo 2^32 for every element v of a row, uint32
//
//   args[0]  row     (1, columns), contiguous
//   args[1]  addend  (1, 1)
#include <chiphost/data_cache.h>
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    __gm__ uint32_t* row = chiphost::tensor_data<uint32_t>(args, 0);
    const uint32_t addend = *chiphost::tensor_data<const uint32_t>(args, 1);
    const uint32_t columns = chiphost::tensor_arg(args, 0).shape[1];

    // A row begins anywhere in a cache line: a chip would not read and write it by its data cache.
    const chiphost::BlockCopy copies;
    for (uint32_t i = 0; i < columns; ++i) row[i] = 3 * row[i] + addend;
}
