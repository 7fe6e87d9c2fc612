// SPDX-License-Identifier: Apache-2.0
//
// Checks of the names that orchestrations of all three runtimes have.
#pragma once

#include <stdexcept>

#include "data_type.h"
#include "task_args.h"

#define CHECK(...)                                                                       \
    do {                                                                                 \
        if (!(__VA_ARGS__)) throw std::runtime_error("it is not so that " #__VA_ARGS__); \
    } while (false)

static inline void check_types() {
    constexpr struct {
        DataType type;
        uint64_t bytes;
    } types[] = {
        {DataType::FLOAT32, 4},  {DataType::FLOAT16, 2}, {DataType::INT32, 4},
        {DataType::INT16, 2},    {DataType::INT8, 1},    {DataType::UINT8, 1},
        {DataType::BFLOAT16, 2}, {DataType::INT64, 8},   {DataType::UINT64, 8},
    };
    int number = 0;
    for (const auto& each : types) {
        CHECK(static_cast<int>(each.type) == number++);
        CHECK(get_element_size(each.type) == each.bytes);
    }
    CHECK(static_cast<int>(DataType::DATA_TYPE_NUM) == number && get_element_size(DataType::DATA_TYPE_NUM) == 0);
    CHECK(to_u64(int32_t{-1}) == 0xffffffff && to_u64(int64_t{-1}) == ~uint64_t{0} && to_u64(1.0f) == 0x3f800000);
    CHECK(from_u64<int32_t>(0xffffffff) == -1 && from_u64<float>(0x3f800000) == 1.0f);
}

// x and y of 4 × 8 floats, and a factor.
static inline void check_arguments(const ChipStorageTaskArgs& args) {
    CHECK(args.tensor_count() == 2 && args.scalar_count() == 1);
    CHECK(from_u64<float>(args.scalar(0)) == 1.5f);
    CHECK(args.scalars()[0] == args.scalar(0) && args.scalar_data()[0] == args.scalar(0));
    for (int32_t i = 0; i < 2; ++i) {
        const ContinuousTensor tensor = args.tensor(i);
        CHECK(tensor.ndims == 2 && tensor.shapes[0] == 4 && tensor.shapes[1] == 8);
        CHECK(tensor.dtype == DataType::FLOAT32 && tensor.nbytes() == 4 * 8 * 4);
        CHECK(reinterpret_cast<uint64_t>(tensor.data_as<float>()) == tensor.data);
    }
    static_assert(CONTINUOUS_TENSOR_MAX_DIMS == 5, "shapes of arguments");
}
