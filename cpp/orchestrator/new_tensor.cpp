// SPDX-License-Identifier: Apache-2.0
#include "new_tensor.h"

#include <string.h>

#include "chiphost/align.h"
#include "chiphost/platform/aicpu.h"

namespace chiphost::orchestrator {

namespace {

void fill(uint64_t address, uint64_t bytes, const uint64_t& value, uint32_t element_bytes) {
    auto* to = reinterpret_cast<char*>(address);
    for (uint64_t offset = 0; offset < bytes; offset += element_bytes) memcpy(to + offset, &value, element_bytes);
    platform::flush_cache(to, bytes);
}

}  // namespace

uint64_t new_tensor_bytes(const ch_tensor_spec& spec) {
    const uint64_t bytes = ch_shape_bytes(spec.shape, spec.ndims, spec.dtype);
    return bytes > (uint64_t{1} << 62) ? UINT64_MAX : bytes;
}

uint64_t new_tensor_heap_bytes(const ch_tensor_spec& spec) {
    return align_up(new_tensor_bytes(spec), new_tensor_alignment);
}

ch_device_tensor make_new_tensor(const ch_tensor_spec& spec, uint64_t address, int64_t owner, uint32_t number) {
    const uint64_t bytes = new_tensor_bytes(spec);
    ch_device_tensor tensor{};
    tensor.address = tensor.buffer = address;
    tensor.buffer_bytes = bytes;
    tensor.owner = owner;
    tensor.dtype = spec.dtype;
    tensor.flags = spec.flags;
    tensor.number = number;
    ch_set_row_major(&tensor, spec.shape, spec.ndims);
    if (spec.has_initial) {
        fill(address, bytes, spec.initial, ch_dtype_bytes(spec.dtype));
    } else {
        platform::forget_content(reinterpret_cast<void*>(address), bytes);
    }
    return tensor;
}

}  // namespace chiphost::orchestrator
