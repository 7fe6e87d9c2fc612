// SPDX-License-Identifier: Apache-2.0
//
// The tensor map against sets of bytes.
#include "orchestrator/tensor_map.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>

#include "chiphost/device_tensor.h"
#include "random_seed.h"

namespace chiphost::orchestrator {

namespace {

constexpr uint64_t base = 0x10000;

DeviceTensor whole(uint64_t buffer, ch_dtype dtype, std::initializer_list<uint32_t> shape) {
    ch_device_tensor where{};
    where.address = where.buffer = buffer;
    where.dtype = static_cast<uint8_t>(dtype);
    where.owner = -1;
    where.buffer_bytes = 1 << 20;
    return DeviceTensor::row_major(where, shape.begin(), static_cast<uint32_t>(shape.size()));
}

// A random view: boxes, exchanged dimensions, other shapes where that can be.
DeviceTensor random_view(std::mt19937& random, const DeviceTensor& start) {
    DeviceTensor tensor = start;
    for (uint32_t steps = random() % 4; steps > 0; --steps) {
        if (random() % 3 == 0 && tensor.ndims() > 1) {
            tensor = tensor.transpose(random() % tensor.ndims(), random() % tensor.ndims());
        } else if (random() % 4 == 0 && tensor.contiguous() && tensor.elements() % 6 == 0) {
            tensor = tensor.reshape({6, static_cast<uint32_t>(tensor.elements() / 6)});
        } else {
            uint32_t shape[CH_MAX_DIMS], offset[CH_MAX_DIMS];
            for (uint32_t dim = 0; dim < tensor.ndims(); ++dim) {
                offset[dim] = random() % (tensor.shape(dim) + 1);
                shape[dim] = random() % (tensor.shape(dim) - offset[dim] + 1);
            }
            tensor = tensor.view(shape, tensor.ndims(), offset, tensor.ndims());
        }
    }
    return tensor;
}

std::set<uint64_t> bytes_of(const ch_device_tensor& tensor) {
    std::set<uint64_t> bytes;
    uint32_t index[CH_MAX_DIMS] = {};
    const uint32_t size = ch_dtype_bytes(tensor.dtype);
    uint64_t elements = 1;
    for (uint32_t dim = 0; dim < tensor.ndims; ++dim) elements *= tensor.shape[dim];
    for (uint64_t i = 0; i < elements; ++i) {
        uint64_t address = tensor.address;
        for (uint32_t dim = 0; dim < tensor.ndims; ++dim) address += uint64_t{index[dim]} * tensor.stride[dim] * size;
        for (uint32_t byte = 0; byte < size; ++byte) bytes.insert(address + byte);
        for (uint32_t dim = tensor.ndims; dim-- > 0;) {
            if (++index[dim] < tensor.shape[dim]) break;
            index[dim] = 0;
        }
    }
    return bytes;
}

bool meet(const std::set<uint64_t>& a, const std::set<uint64_t>& b) {
    for (uint64_t byte : a) {
        if (b.count(byte)) return true;
    }
    return false;
}

// Memory for a map.
struct Storage {
    explicit Storage(uint32_t capacity) : entries(capacity), buckets(TensorMap::bucket_count) {
        map.begin(entries.data(), capacity, buckets.data());
    }
    std::vector<TensorMap::Entry> entries;
    std::vector<TensorMap::Bucket> buckets;
    TensorMap map;
};

}  // namespace

TEST(TensorRegion, ComparesLikeSetsOfBytes) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    const DeviceTensor starts[] = {whole(base, CH_FLOAT32, {6, 5, 4}), whole(base, CH_FLOAT32, {12, 10}),
                                   whole(base + 64, CH_INT8, {48})};
    int exact = 0;
    for (int round = 0; round < 5000; ++round) {
        const DeviceTensor a = random_view(random, starts[random() % 3]);
        const DeviceTensor b = random_view(random, starts[random() % 3]);
        const graph::TensorRegion first = graph::region_of(a.raw()), second = graph::region_of(b.raw());
        const auto bytes_a = bytes_of(a.raw()), bytes_b = bytes_of(b.raw());
        if (meet(bytes_a, bytes_b)) {
            ASSERT_TRUE(graph::overlaps(first, second)) << "round " << round;
        }
        if (graph::covers(first, second)) {
            for (uint64_t byte : bytes_b) ASSERT_TRUE(bytes_a.count(byte)) << "round " << round;
        }
        const bool same_array = first.array == second.array && first.dtype == second.dtype &&
                                first.ndims == second.ndims &&
                                std::equal(first.raw_shape, first.raw_shape + CH_MAX_DIMS, second.raw_shape);
        if (same_array || first.contiguous || second.contiguous) {
            ++exact;
            ASSERT_EQ(graph::overlaps(first, second), meet(bytes_a, bytes_b)) << "round " << round;
        }
    }
    EXPECT_GT(exact, 250);
}

// An edge without need costs time: tasks that only read do not wait for each other, nor for other buffers.
TEST(TensorMap, FindsNothingThatNeedNotBeWaitedFor) {
    Storage storage(8);
    const DeviceTensor table = whole(base, CH_FLOAT32, {8, 6}), other = whole(base + 0x1000, CH_FLOAT32, {8, 6});
    uint32_t heads[4] = {graph::none, graph::none, graph::none, graph::none};
    const auto add = [&](const DeviceTensor& tensor, TensorMap::Use use, uint32_t task) {
        const ch_device_tensor raw = tensor.raw();
        ASSERT_TRUE(storage.map.add(raw.buffer, graph::region_of(raw), use, task, &heads[task]));
    };
    const auto find = [&](const DeviceTensor& tensor, TensorMap::Use use, uint32_t over = graph::none) {
        std::set<uint32_t> found;
        const ch_device_tensor raw = tensor.raw();
        storage.map.find(
            raw.buffer, graph::region_of(raw), use, [&](uint32_t task) { found.insert(task); },
            [&](uint32_t task) { return task == over; });
        return found;
    };
    using Tasks = std::set<uint32_t>;
    add(table, TensorMap::Use::write, 0);
    add(table, TensorMap::Use::read, 1);
    add(table, TensorMap::Use::read, 2);
    add(other, TensorMap::Use::read, 3);
    EXPECT_EQ(find(table, TensorMap::Use::read), (Tasks{0}));
    EXPECT_EQ(find(other, TensorMap::Use::read), Tasks{});
    EXPECT_EQ(find(table.view({2, 6}, {3, 0}), TensorMap::Use::write), (Tasks{0, 1, 2}));
    EXPECT_EQ(find(table, TensorMap::Use::read, 0), Tasks{}) << "it is over";
    EXPECT_EQ(find(table, TensorMap::Use::write), (Tasks{1, 2})) << "and forgotten";
    EXPECT_EQ(find(table, TensorMap::Use::write), Tasks{}) << "a write has covered them";
}

// Tasks that use random views, each with an edge from every task that the map finds: of any two that touch the same
// byte, one of them writing, the later must come after the earlier, directly or by way of others.
TEST(TensorMap, OrdersAllHazards) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    struct TaskUse {
        uint64_t buffer;
        std::set<uint64_t> bytes;
        bool writes;
    };
    for (int round = 0; round < 60; ++round) {
        constexpr uint32_t tasks = 60;
        Storage storage(tasks * 3);
        std::vector<std::vector<TaskUse>> uses(tasks);
        std::vector<std::vector<bool>> after(tasks, std::vector<bool>(tasks, false));  // after[later][earlier]
        std::vector<bool> over(tasks, false);
        std::vector<uint32_t> heads(tasks, graph::none);
        for (uint32_t task = 0; task < tasks; ++task) {
            const uint32_t count = 1 + random() % 3;
            std::vector<std::pair<ch_device_tensor, TensorMap::Use>> mine;
            for (uint32_t i = 0; i < count; ++i) {
                const uint64_t buffer = base + (random() % 3) * 0x1000;
                const DeviceTensor view = random_view(random, whole(buffer, CH_FLOAT32, {8, 6}));
                const auto use = random() % 2 ? TensorMap::Use::write : TensorMap::Use::read;
                mine.emplace_back(view.raw(), use);
                uses[task].push_back({buffer, bytes_of(view.raw()), use == TensorMap::Use::write});
            }
            for (const auto& [view, use] : mine) {
                storage.map.find(
                    view.buffer, graph::region_of(view), use,
                    [&](uint32_t found) {
                        ASSERT_LT(found, task);
                        after[task][found] = true;
                        for (uint32_t i = 0; i < tasks; ++i) {
                            if (after[found][i]) after[task][i] = true;
                        }
                    },
                    [&](uint32_t other) { return over[other]; });
            }
            for (const auto& [view, use] : mine) {
                ASSERT_TRUE(storage.map.add(view.buffer, graph::region_of(view), use, task, &heads[task]));
            }
            // Some task that waits for nothing any more completes; then it may be forgotten.
            const uint32_t candidate = random() % (task + 1);
            bool free = true;
            for (uint32_t i = 0; i < candidate; ++i) free = free && (over[i] || !after[candidate][i]);
            if (free && !over[candidate] && random() % 2) {
                over[candidate] = true;
                if (random() % 2) {
                    storage.map.forget(heads[candidate]);
                    heads[candidate] = graph::none;
                }
            }
            for (uint32_t earlier = 0; earlier < task; ++earlier) {
                if (over[earlier]) continue;
                for (const TaskUse& a : uses[earlier]) {
                    for (const TaskUse& b : uses[task]) {
                        if (a.buffer == b.buffer && (a.writes || b.writes) && meet(a.bytes, b.bytes)) {
                            ASSERT_TRUE(after[task][earlier]) << earlier << " before " << task << ", round " << round;
                        }
                    }
                }
            }
        }
    }
}

TEST(TensorMap, FindsAnyNumberOfUses) {
    Storage storage(1000);
    const DeviceTensor tensor = whole(base, CH_INT32, {1000});
    uint32_t heads[1000];
    for (uint32_t task = 0; task < 1000; ++task) {
        heads[task] = graph::none;
        ASSERT_TRUE(storage.map.add(base, graph::region_of(tensor.view({1}, {task}).raw()), TensorMap::Use::write, task,
                                    &heads[task]));
    }
    EXPECT_EQ(storage.map.free_count(), 0u);
    uint32_t none = graph::none;
    EXPECT_FALSE(storage.map.add(base, graph::region_of(tensor.raw()), TensorMap::Use::read, 1000, &none));
    std::set<uint32_t> found;
    storage.map.find(
        base, graph::region_of(tensor.raw()), TensorMap::Use::read, [&](uint32_t task) { found.insert(task); },
        [](uint32_t) { return false; });
    EXPECT_EQ(found.size(), 1000u);
    for (uint32_t head : heads) storage.map.forget(head);
    EXPECT_EQ(storage.map.free_count(), 1000u);
}

}  // namespace chiphost::orchestrator
