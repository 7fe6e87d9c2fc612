// SPDX-License-Identifier: Apache-2.0
//
// Regions of boxes against sets of bytes. That views which users make are boxes, tensor_map_test.cpp shows.
#include "graph/tensor_region.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "random_seed.h"

namespace chiphost::graph {

namespace {

constexpr uint64_t array_at = 0x10000;

// A box in a row-major array, with its dimensions in any order.
ch_device_tensor box(ch_dtype dtype, const std::vector<uint32_t>& raw_shape, const std::vector<uint32_t>& offset,
                     const std::vector<uint32_t>& extent, const std::vector<uint8_t>& order, uint64_t at = array_at) {
    ch_device_tensor tensor{};
    tensor.dtype = static_cast<uint8_t>(dtype);
    tensor.ndims = static_cast<uint8_t>(raw_shape.size());
    uint32_t stride[CH_MAX_DIMS] = {};
    uint32_t inner = 1;
    uint64_t skipped = 0;
    for (size_t dim = raw_shape.size(); dim-- > 0;) {
        tensor.raw_shape[dim] = raw_shape[dim];
        tensor.offset[dim] = offset[dim];
        stride[dim] = inner;
        skipped += uint64_t{offset[dim]} * inner;
        inner *= raw_shape[dim];
    }
    for (size_t dim = 0; dim < raw_shape.size(); ++dim) {
        tensor.raw_dim[dim] = order[dim];
        tensor.shape[dim] = extent[order[dim]];
        tensor.stride[dim] = stride[order[dim]];
    }
    tensor.address = at + skipped * ch_dtype_bytes(dtype);
    return tensor;
}

struct Random {
    explicit Random(uint32_t seed) : engine(seed) {}
    uint32_t below(uint32_t end) { return static_cast<uint32_t>(engine() % end); }
    ch_device_tensor box_in(ch_dtype dtype, const std::vector<uint32_t>& raw_shape, uint64_t at) {
        std::vector<uint32_t> offset, extent;
        std::vector<uint8_t> order;
        for (size_t dim = 0; dim < raw_shape.size(); ++dim) {
            const bool whole = below(3) == 0;
            offset.push_back(whole ? 0 : below(raw_shape[dim] + 1));
            extent.push_back(whole ? raw_shape[dim] : below(raw_shape[dim] - offset[dim] + 1));
            order.push_back(static_cast<uint8_t>(dim));
        }
        std::shuffle(order.begin(), order.end(), engine);
        return box(dtype, raw_shape, offset, extent, order, at);
    }
    std::mt19937 engine;
};

std::set<uint64_t> bytes_of(const ch_device_tensor& tensor) {
    std::set<uint64_t> bytes;
    const uint64_t element = ch_dtype_bytes(tensor.dtype);
    const uint64_t count = ch_shape_elements(tensor.shape, tensor.ndims);
    for (uint64_t number = 0; number < count; ++number) {
        uint64_t at = tensor.address, left = number;
        for (uint32_t dim = tensor.ndims; dim-- > 0; left /= tensor.shape[dim]) {
            at += left % tensor.shape[dim] * tensor.stride[dim] * element;
        }
        for (uint64_t byte = 0; byte < element; ++byte) bytes.insert(at + byte);
    }
    return bytes;
}

bool meet(const std::set<uint64_t>& a, const std::set<uint64_t>& b) {
    return std::any_of(a.begin(), a.end(), [&](uint64_t byte) { return b.count(byte) != 0; });
}

bool includes(const std::set<uint64_t>& whole, const std::set<uint64_t>& part) {
    return std::includes(whole.begin(), whole.end(), part.begin(), part.end());
}

std::string text_of(const ch_device_tensor& tensor) {
    std::string text = "address " + std::to_string(tensor.address - array_at);
    for (uint32_t dim = 0; dim < tensor.ndims; ++dim) {
        text += ", " + std::to_string(tensor.shape[dim]) + " by " + std::to_string(tensor.stride[dim]);
    }
    return text;
}

}  // namespace

TEST(TensorRegion, GoesFromTheFirstByteToTheLast) {
    const tests::RandomSeed seed;
    Random random(seed.value());
    for (int round = 0; round < 5'000; ++round) {
        std::vector<uint32_t> raw_shape;
        for (uint32_t ndims = random.below(CH_MAX_DIMS + 1); ndims > 0; --ndims) raw_shape.push_back(random.below(5));
        const ch_dtype dtype = random.below(2) ? CH_FLOAT32 : CH_INT8;
        const ch_device_tensor tensor = random.box_in(dtype, raw_shape, array_at);
        ASSERT_TRUE(is_box(tensor)) << text_of(tensor);
        const TensorRegion region = region_of(tensor);
        const std::set<uint64_t> bytes = bytes_of(tensor);
        ASSERT_EQ(region.array, array_at) << text_of(tensor);
        ASSERT_EQ(region.first_byte == region.end_byte, bytes.empty()) << text_of(tensor);
        if (bytes.empty()) continue;
        ASSERT_EQ(region.first_byte, *bytes.begin()) << text_of(tensor);
        ASSERT_EQ(region.end_byte, *bytes.rbegin() + 1) << text_of(tensor);
        if (region.contiguous) {
            ASSERT_EQ(bytes.size(), region.end_byte - region.first_byte) << text_of(tensor);
        }
    }
}

TEST(TensorRegion, MeetsAnotherBoxOfItsArrayExactlyIfTheyShareAByte) {
    const tests::RandomSeed seed;
    Random random(seed.value());
    int met = 0, missed = 0, covered = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::vector<uint32_t> raw_shape;
        for (uint32_t ndims = 1 + random.below(4); ndims > 0; --ndims) raw_shape.push_back(1 + random.below(4));
        const ch_device_tensor a = random.box_in(CH_INT16, raw_shape, array_at);
        const ch_device_tensor b = random.box_in(CH_INT16, raw_shape, array_at);
        const std::set<uint64_t> bytes_a = bytes_of(a), bytes_b = bytes_of(b);
        const TensorRegion region_a = region_of(a), region_b = region_of(b);
        ASSERT_EQ(overlaps(region_a, region_b), meet(bytes_a, bytes_b)) << text_of(a) << "; " << text_of(b);
        ASSERT_EQ(covers(region_a, region_b), includes(bytes_a, bytes_b)) << text_of(a) << "; " << text_of(b);
        ++(meet(bytes_a, bytes_b) ? met : missed);
        covered += !bytes_b.empty() && covers(region_a, region_b);
    }
    EXPECT_GT(met, 100);
    EXPECT_GT(missed, 100);
    EXPECT_GT(covered, 100);
}

// Arrays that lie in each other as memory that is used again does: at any byte, with other shapes and types.
TEST(TensorRegion, MissesNoByteOfAnotherArray) {
    const tests::RandomSeed seed;
    Random random(seed.value());
    const std::vector<std::vector<uint32_t>> shapes{{24}, {4, 6}, {3, 2, 4}, {2, 3, 2, 2}};
    const ch_dtype dtypes[] = {CH_INT8, CH_INT16, CH_FLOAT32};
    int exact = 0;
    for (int round = 0; round < 20'000; ++round) {
        const auto any = [&] {
            return random.box_in(dtypes[random.below(3)], shapes[random.below(4)], array_at + random.below(40));
        };
        const ch_device_tensor a = any(), b = any();
        const std::set<uint64_t> bytes_a = bytes_of(a), bytes_b = bytes_of(b);
        const TensorRegion region_a = region_of(a), region_b = region_of(b);
        ASSERT_EQ(overlaps(region_a, region_b), overlaps(region_b, region_a)) << text_of(a) << "; " << text_of(b);
        if (region_a.contiguous || region_b.contiguous) {
            ++exact;
            ASSERT_EQ(overlaps(region_a, region_b), meet(bytes_a, bytes_b)) << text_of(a) << "; " << text_of(b);
        } else if (meet(bytes_a, bytes_b)) {
            ASSERT_TRUE(overlaps(region_a, region_b)) << text_of(a) << "; " << text_of(b);
        }
        if (covers(region_a, region_b)) {
            ASSERT_TRUE(includes(bytes_a, bytes_b)) << text_of(a) << "; " << text_of(b);
        }
    }
    EXPECT_GT(exact, 100);
}

TEST(TensorRegion, OfAScalarIsItsElement) {
    const ch_device_tensor scalar = box(CH_INT64, {}, {}, {}, {});
    EXPECT_TRUE(is_box(scalar));
    const TensorRegion region = region_of(scalar);
    EXPECT_EQ(region.end_byte - region.first_byte, 8u);
    EXPECT_TRUE(region.contiguous);
    EXPECT_TRUE(overlaps(region, region));
    EXPECT_TRUE(covers(region, region));
}

TEST(TensorRegion, OfATransposedArrayHasGaps) {
    const TensorRegion whole = region_of(box(CH_INT8, {4, 6}, {0, 0}, {4, 6}, {0, 1}));
    const TensorRegion columns = region_of(box(CH_INT8, {4, 6}, {0, 1}, {4, 2}, {1, 0}));
    const TensorRegion others = region_of(box(CH_INT8, {4, 6}, {0, 3}, {4, 2}, {0, 1}));
    EXPECT_TRUE(whole.contiguous);
    EXPECT_FALSE(columns.contiguous);
    EXPECT_EQ(columns.first_byte, array_at + 1);
    EXPECT_EQ(columns.end_byte, array_at + 3 * 6 + 3);
    EXPECT_FALSE(overlaps(columns, others)) << "their bytes alternate";
    EXPECT_TRUE(covers(whole, columns));
    EXPECT_FALSE(covers(columns, others));
}

TEST(TensorRegion, IsOfABoxOnly) {
    const ch_device_tensor good = box(CH_INT8, {4, 6}, {1, 2}, {3, 4}, {1, 0});
    ASSERT_TRUE(is_box(good));
    ch_device_tensor tensor = good;
    tensor.raw_dim[0] = 2;
    EXPECT_FALSE(is_box(tensor)) << "the array has no such dimension";
    tensor = good;
    tensor.raw_dim[0] = 0;
    EXPECT_FALSE(is_box(tensor)) << "two dimensions run along one";
    tensor = good;
    tensor.stride[1] = 5;
    EXPECT_FALSE(is_box(tensor));
    tensor = good;
    tensor.offset[1] = 3;
    EXPECT_FALSE(is_box(tensor)) << "it ends outside";
    tensor = good;
    tensor.offset[0] = UINT32_MAX;
    EXPECT_FALSE(is_box(tensor)) << "offset and length together have no room in 32 bits";
    tensor = good;
    tensor.raw_shape[0] = uint32_t{1} << 30;
    EXPECT_FALSE(is_box(tensor)) << "the array has too many elements";
}

TEST(TensorRegion, NeedsNoStridesInAnEmptyArray) {
    ch_device_tensor tensor = box(CH_INT8, {4, 0}, {0, 0}, {4, 0}, {0, 1});
    tensor.stride[0] = 77;
    EXPECT_TRUE(is_box(tensor));
    tensor.offset[1] = 1;
    EXPECT_FALSE(is_box(tensor));
}

}  // namespace chiphost::graph
