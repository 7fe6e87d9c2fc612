// SPDX-License-Identifier: Apache-2.0
//
// The kernel of all tasks of device_graph_interpreter.cpp. For every tensor that the task writes, in the order of the
// arguments, element by element and modulo 2^64:
//
//     out[e] = 3 * out[e] + (j + constant) + the sum of (i + 2) * in_i[e modulo its elements] + accumulator
//
// where j counts the written tensors, i the others; without "3 * out[e]" if the task doesn't read it. Elements are
// counted along the view. The cores and blocks of the task share the elements.
//
// Arguments: the program from the task's core mask on; the task's tensors; the accumulator. ON_AIC: built for an AIC.
#include <chiphost/kernel.h>

namespace {

using chiphost::tensor_arg;

uint64_t elements(const ch_device_tensor& tensor) {
    uint64_t count = 1;
    for (uint32_t dim = 0; dim < tensor.ndims; ++dim) count *= tensor.shape[dim];
    return count;
}

void* address_of(const ch_device_tensor& tensor, uint64_t element) {
    uint64_t offset = 0;
    for (uint32_t dim = tensor.ndims; dim-- > 0;) {
        offset += element % tensor.shape[dim] * tensor.stride[dim];
        element /= tensor.shape[dim];
    }
    return reinterpret_cast<char*>(tensor.address) + offset * ch_dtype_bytes(tensor.dtype);
}

uint64_t load(const ch_device_tensor& tensor, uint64_t element) {
    const void* from = address_of(tensor, element);
    if (tensor.dtype == CH_INT64) return *static_cast<const uint64_t*>(from);
    return static_cast<uint64_t>(int64_t{*static_cast<const int32_t*>(from)});
}

void store(const ch_device_tensor& tensor, uint64_t element, uint64_t value) {
    void* to = address_of(tensor, element);
    if (tensor.dtype == CH_INT64) {
        *static_cast<uint64_t*>(to) = value;
    } else {
        *static_cast<uint32_t*>(to) = static_cast<uint32_t>(value);
    }
}

enum Access { kReads = 0, kWrites = 1, kReadsAndWrites = 2 };

struct Argument {
    const ch_device_tensor* tensor;
    Access access;
};

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const auto* words = chiphost::tensor_data<const int32_t>(args, 0);
    const int32_t cores = words[0], constant = words[2], count = words[3];
    words += 4;
    Argument arguments[32];
    for (int32_t i = 0; i < count; ++i) {
        const int32_t role = *words++;
        arguments[i] = {&tensor_arg(args, 1 + i), static_cast<Access>(*words++)};
        ++words;  // register or dtype
        if (role == 1 || role == 9) words += 1 + *words;
        if (role == 9) ++words;
    }
    const auto accumulator = static_cast<uint64_t>(args[1 + count]);

    const bool alone = (cores & (cores - 1)) == 0;
#ifdef ON_AIC
    const int own = 1;
#else
    const int own = 2 << chiphost::get_sub_block_id(args);
#endif
    const auto used = static_cast<uint64_t>(__builtin_popcount(cores));
    const auto rank = alone ? 0 : static_cast<uint64_t>(__builtin_popcount(cores & (own - 1)));
    const uint64_t parts = used * static_cast<uint64_t>(chiphost::get_block_num(args));
    const uint64_t part = static_cast<uint64_t>(chiphost::get_block_idx(args)) * used + rank;

    uint64_t written = 0;
    for (int32_t i = 0; i < count; ++i) {
        if (arguments[i].access == kReads) continue;
        const ch_device_tensor& out = *arguments[i].tensor;
        const uint64_t end = elements(out);
        for (uint64_t e = part; e < end; e += parts) {
            uint64_t value = written + static_cast<uint64_t>(int64_t{constant}) + accumulator;
            if (arguments[i].access == kReadsAndWrites) value += 3 * load(out, e);
            uint64_t factor = 2;
            for (int32_t other = 0; other < count; ++other) {
                if (arguments[other].access != kReads) continue;
                const uint64_t size = elements(*arguments[other].tensor);
                if (size != 0) value += factor * load(*arguments[other].tensor, e % size);
                ++factor;
            }
            store(out, e, value);
        }
        ++written;
    }
}
