// SPDX-License-Identifier: Apache-2.0
//
// AIV kernel: v = 3 * v + color modulo 2^32 for every element v of a box. Block b of n does the rows b, b + n, b + 2n,
// ...
//
//   args[0]  box    uint32 (rows, columns): a view
//   args[1]  color  uint32 (1, 1)
#include <chiphost/data_cache.h>
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const __gm__ ch_device_tensor& box = chiphost::tensor_arg(args, 0);
    __gm__ uint32_t* first = chiphost::tensor_data<uint32_t>(args, 0);
    const uint32_t color = *chiphost::tensor_data<const uint32_t>(args, 1);
    const uint32_t block = chiphost::get_block_idx(args), blocks = chiphost::get_block_num(args);

    // A row begins anywhere in a cache line: a chip would not read and write it by its data cache.
    const chiphost::BlockCopy copies;
    for (uint32_t r = block; r < box.shape[0]; r += blocks) {
        __gm__ uint32_t* row = first + uint64_t{r} * box.stride[0];
        for (uint32_t i = 0; i < box.shape[1]; ++i) row[i] = 3 * row[i] + color;
    }
}
