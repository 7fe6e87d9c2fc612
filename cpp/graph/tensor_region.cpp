// SPDX-License-Identifier: Apache-2.0
#include "tensor_region.h"

namespace chiphost::graph {

bool is_box(const ch_device_tensor& tensor) {
    const uint64_t elements = ch_shape_elements(tensor.raw_shape, tensor.ndims);
    if (elements > UINT32_MAX) return false;
    uint64_t raw_stride[CH_MAX_DIMS];
    uint64_t inner = 1;  // elements below the dimension
    for (uint32_t dim = tensor.ndims; dim-- > 0;) {
        raw_stride[dim] = inner;
        inner *= tensor.raw_shape[dim];
    }
    uint32_t seen = 0;
    for (uint32_t dim = 0; dim < tensor.ndims; ++dim) {
        const uint32_t raw = tensor.raw_dim[dim];
        if (raw >= tensor.ndims || (seen & 1u << raw)) return false;
        if (elements != 0 && tensor.stride[dim] != raw_stride[raw]) return false;
        seen |= 1u << raw;
        if (uint64_t{tensor.offset[raw]} + tensor.shape[dim] > tensor.raw_shape[raw]) return false;
    }
    return true;
}

TensorRegion region_of(const ch_device_tensor& tensor) {
    TensorRegion region{};
    const uint64_t element = ch_dtype_bytes(tensor.dtype);
    region.ndims = tensor.ndims;
    region.dtype = tensor.dtype;
    bool empty = false;
    uint64_t last = 0;  // element number of the view's last element, counted from its first
    uint64_t expected_stride = 1;
    region.contiguous = true;
    for (uint32_t dim = tensor.ndims; dim-- > 0;) {
        const uint32_t length = tensor.shape[dim];
        empty = empty || length == 0;
        if (length > 1) last += uint64_t{length - 1} * tensor.stride[dim];
        if (length != 1 && tensor.stride[dim] != expected_stride) region.contiguous = false;
        expected_stride *= length;
        const uint32_t raw = tensor.raw_dim[dim];
        region.extent[raw] = length;
        region.raw_shape[dim] = tensor.raw_shape[dim];
        region.offset[dim] = tensor.offset[dim];
    }
    uint64_t skipped = 0;
    uint64_t raw_stride = 1;
    for (uint32_t dim = tensor.ndims; dim-- > 0;) {
        skipped += uint64_t{tensor.offset[dim]} * raw_stride;
        raw_stride *= tensor.raw_shape[dim];
    }
    region.array = tensor.address - skipped * element;
    region.first_byte = tensor.address;
    region.end_byte = empty ? tensor.address : tensor.address + (last + 1) * element;
    return region;
}

namespace {

bool same_array(const TensorRegion& a, const TensorRegion& b) {
    if (a.array != b.array || a.ndims != b.ndims || a.dtype != b.dtype) return false;
    for (uint32_t dim = 0; dim < a.ndims; ++dim) {
        if (a.raw_shape[dim] != b.raw_shape[dim]) return false;
    }
    return true;
}

// True if the box has an element with a byte in [begin, end), which meets the bytes from its first to its last.
bool has_byte_in(const TensorRegion& box, uint64_t begin, uint64_t end) {
    const uint64_t element = ch_dtype_bytes(box.dtype);
    uint64_t number = begin > box.array ? (begin - box.array) / element : 0;  // the first that could be
    uint64_t index[CH_MAX_DIMS] = {};
    for (uint32_t dim = box.ndims; dim-- > 1; number /= box.raw_shape[dim]) index[dim] = number % box.raw_shape[dim];
    index[0] = number;
    // The box's first element that does not come before it in the array.
    for (uint32_t dim = 0; dim < box.ndims; ++dim) {
        if (index[dim] >= box.offset[dim] && index[dim] < box.offset[dim] + box.extent[dim]) continue;
        uint32_t from = dim;  // from this dimension on it is the first of the box
        if (index[dim] >= box.offset[dim]) {
            do {
                if (from == 0) return false;
                --from;
            } while (index[from] + 1 == box.offset[from] + box.extent[from]);
            ++index[from++];
        }
        for (; from < box.ndims; ++from) index[from] = box.offset[from];
        break;
    }
    uint64_t first = 0;
    for (uint32_t dim = 0; dim < box.ndims; ++dim) first = first * box.raw_shape[dim] + index[dim];
    return box.array + first * element < end;
}

}  // namespace

bool overlaps(const TensorRegion& a, const TensorRegion& b) {
    if (a.first_byte == a.end_byte || b.first_byte == b.end_byte) return false;
    if (a.first_byte >= b.end_byte || b.first_byte >= a.end_byte) return false;
    if (a.contiguous && b.contiguous) return true;
    if (!same_array(a, b)) {
        if (a.contiguous) return has_byte_in(b, a.first_byte, a.end_byte);
        if (b.contiguous) return has_byte_in(a, b.first_byte, b.end_byte);
        return true;
    }
    for (uint32_t dim = 0; dim < a.ndims; ++dim) {
        if (a.offset[dim] >= b.offset[dim] + b.extent[dim] || b.offset[dim] >= a.offset[dim] + a.extent[dim]) {
            return false;
        }
    }
    return true;
}

bool covers(const TensorRegion& whole, const TensorRegion& part) {
    if (part.first_byte == part.end_byte) return true;
    if (part.first_byte < whole.first_byte || part.end_byte > whole.end_byte) return false;
    if (whole.contiguous) return true;
    if (!same_array(whole, part)) return false;
    for (uint32_t dim = 0; dim < whole.ndims; ++dim) {
        if (part.offset[dim] < whole.offset[dim] ||
            part.offset[dim] + part.extent[dim] > whole.offset[dim] + whole.extent[dim]) {
            return false;
        }
    }
    return true;
}

}  // namespace chiphost::graph
