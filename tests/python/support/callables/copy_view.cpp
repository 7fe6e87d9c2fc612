// SPDX-License-Identifier: Apache-2.0
//
// Kernel for every runtime: out = in, element by element in row-major order, for tensors of as many elements, views of
// any kind. Counts elements up for each call.
//
//   args[0]  in
//   args[1]  out
#include <chiphost/kernel.h>

namespace {

// The place of element `number` of a tensor.
char* element(const ch_device_tensor& tensor, uint64_t number) {
    uint64_t offset = 0;
    for (uint32_t dim = tensor.ndims; dim-- > 0; number /= tensor.shape[dim]) {
        offset += number % tensor.shape[dim] * tensor.stride[dim];
    }
    return reinterpret_cast<char*>(tensor.address) + offset * ch_dtype_bytes(tensor.dtype);
}

}  // namespace

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const auto& in = chiphost::tensor_arg(args, 0);
    const auto& out = chiphost::tensor_arg(args, 1);
    const uint64_t elements = ch_shape_elements(out.shape, out.ndims);
    if (elements != ch_shape_elements(in.shape, in.ndims) || in.dtype != out.dtype) throw "the tensors differ";
    for (uint64_t i = 0; i < elements; ++i) memcpy(element(out, i), element(in, i), ch_dtype_bytes(out.dtype));
}
