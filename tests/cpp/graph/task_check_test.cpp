// SPDX-License-Identifier: Apache-2.0
#include "graph/task_check.h"

#include <gtest/gtest.h>

#include <string>

#include "test_files.h"

namespace chiphost::graph {

namespace {

// A callable with kernel 0 for AIC, 1 and 3 for AIV, and no kernel 2.
class TaskCheckTest : public testing::Test {
protected:
    TaskCheckTest() {
        plan.kernel_count = 4;
        plan.kernel_types = reinterpret_cast<uint64_t>(types);
        spec.struct_bytes = sizeof spec;
        spec.block_num = 1;
        use(-1, 1, -1);
        made.ndims = 2;
        made.shape[0] = 3;
        made.shape[1] = 5;
        made.dtype = CH_FLOAT32;
    }
    void use(int32_t aic, int32_t aiv0, int32_t aiv1) {
        spec.func_id[0] = aic;
        spec.func_id[1] = aiv0;
        spec.func_id[2] = aiv1;
    }
    // "" if the task is accepted.
    std::string refusal() { return check_task(plan, {}, spec, &error).ok() ? "" : tests::text_of(error); }
    // Gives the task one tensor.
    void give(uint32_t role, const ch_tensor_spec* made_for_it) {
        argument.role = role;
        argument.spec = made_for_it;
        spec.tensor_count = 1;
        spec.tensors = &argument;
    }

    const uint8_t types[4] = {CH_AIC, CH_AIV, UINT8_MAX, CH_AIV};
    Orchestration plan{};
    ch_task_spec spec{};
    ch_tensor_spec made{};
    ch_task_tensor argument{};
    ch_error error = no_error();
};

class TensorCheckTest : public testing::Test {
protected:
    TensorCheckTest() {
        const uint32_t shape[] = {4, 8};
        tensor.buffer = tensor.address = 0x1000;
        tensor.buffer_bytes = 4 * 8 * sizeof(float);
        tensor.dtype = CH_FLOAT32;
        ch_set_row_major(&tensor, shape, 2);
    }
    std::string refusal() {
        return check_tensor(&tensor, "call", 6, &region, &error).ok() ? "" : tests::text_of(error);
    }

    ch_device_tensor tensor{};
    TensorRegion region{};
    ch_error error = no_error();
};

}  // namespace

TEST_F(TaskCheckTest, AcceptsKernelsOfTheirCores) {
    EXPECT_EQ(refusal(), "");
    use(0, -1, -1);
    EXPECT_EQ(refusal(), "");
    use(0, 1, 3);
    EXPECT_EQ(refusal(), "");
    use(-1, -1, 3);
    EXPECT_EQ(refusal(), "");
}

TEST_F(TaskCheckTest, RefusesATaskOfAnOlderVersion) {
    spec.struct_bytes = CH_TASK_SPEC_BYTES_MIN;
    EXPECT_EQ(refusal(), "");
    spec.struct_bytes = CH_TASK_SPEC_BYTES_MIN - 1;
    EXPECT_EQ(refusal(), "ABI_MISMATCH: submit: wanted a task of 56 bytes or more, found 55");
}

TEST_F(TaskCheckTest, RefusesKernelsThatCannotRunThere) {
    use(-1, -1, -1);
    EXPECT_EQ(refusal(), "TASK_INVALID: submit: the task has no kernel");
    use(-1, -2, -1);
    EXPECT_EQ(refusal(), "FUNC_ID_OUT_OF_RANGE: submit: AIV0: wanted func_id 0 to 1023 or -1, found -2");
    use(0, 1, CH_MAX_FUNC_ID + 1);
    EXPECT_EQ(refusal(), "FUNC_ID_OUT_OF_RANGE: submit: AIV1: wanted func_id 0 to 1023 or -1, found 1024");
    use(-1, CH_MAX_FUNC_ID, -1);
    EXPECT_EQ(refusal(), "KERNEL_MISSING: submit: AIV0: the callable has no kernel of func_id 1023");
    use(-1, 4, -1);
    EXPECT_EQ(refusal(), "KERNEL_MISSING: submit: AIV0: the callable has no kernel of func_id 4")
        << "one past the table";
    use(-1, 2, -1);
    EXPECT_EQ(refusal(), "KERNEL_MISSING: submit: AIV0: the callable has no kernel of func_id 2");
    use(1, -1, -1);
    EXPECT_EQ(refusal(), "CORE_TYPE_INVALID: submit: AIC: kernel of func_id 1 was built for AIV");
    use(0, 1, 0);
    EXPECT_EQ(refusal(), "CORE_TYPE_INVALID: submit: AIV1: kernel of func_id 0 was built for AIC");
}

TEST_F(TaskCheckTest, RefusesMoreArgumentsThanThereIsRoomFor) {
    const ch_task_tensor tensors[CH_MAX_TASK_TENSORS + 1]{};
    const uint64_t scalars[CH_MAX_TASK_SCALARS + 1]{};
    spec.tensors = tensors;
    spec.scalars = scalars;
    spec.tensor_count = CH_MAX_TASK_TENSORS;
    spec.scalar_count = CH_MAX_TASK_SCALARS;
    EXPECT_EQ(refusal(), "");
    ++spec.tensor_count;
    EXPECT_EQ(refusal(), "TOO_MANY_TASK_ARGS: submit: wanted at most 32 tensors and 128 scalars, found 33 and 128");
    --spec.tensor_count;
    ++spec.scalar_count;
    EXPECT_EQ(refusal(), "TOO_MANY_TASK_ARGS: submit: wanted at most 32 tensors and 128 scalars, found 32 and 129");
}

TEST_F(TaskCheckTest, RefusesANumberOfBlocksThatCannotBeCounted) {
    for (const auto& [blocks, accepted] : {std::pair<uint32_t, bool>{0, false},
                                           {1, true},
                                           {INT32_MAX / 3, true},
                                           {INT32_MAX / 3 + 1, false},
                                           {UINT32_MAX, false}}) {
        spec.block_num = blocks;
        EXPECT_EQ(
            refusal(),
            accepted ? "" : "TASK_INVALID: submit: wanted 1 to 715827882 blocks, found " + std::to_string(blocks));
    }
}

TEST_F(TaskCheckTest, RefusesAListThatIsMissing) {
    for (uint32_t* count : {&spec.tensor_count, &spec.scalar_count, &spec.after_count}) {
        *count = 1;
        EXPECT_EQ(refusal(), "TASK_INVALID: submit: " + std::to_string(spec.tensor_count) + " tensors, " +
                                 std::to_string(spec.scalar_count) + " scalars, " + std::to_string(spec.after_count) +
                                 " tasks before it: a list is NULL");
        *count = 0;
        EXPECT_EQ(refusal(), "");
    }
}

TEST_F(TaskCheckTest, RefusesTensorsWithoutARole) {
    give(CH_ROLE_NO_DEP, nullptr);
    EXPECT_EQ(refusal(), "") << "whether it is a tensor is check_tensor's";
    give(CH_ROLE_NO_DEP + 1, nullptr);
    EXPECT_EQ(refusal(), "TASK_INVALID: submit: tensor 0: wanted a role of 0 to 4, found 5");
}

TEST_F(TaskCheckTest, RefusesNewTensorsThatCannotBeMade) {
    give(CH_ROLE_OUTPUT, &made);
    EXPECT_EQ(refusal(), "");
    give(CH_ROLE_OUTPUT, nullptr);
    EXPECT_EQ(refusal(), "TASK_INVALID: submit: new tensor 0: there is none");
    give(CH_ROLE_OUTPUT, &made);
    made.dtype = CH_DTYPE_COUNT;
    EXPECT_EQ(refusal(), "TASK_INVALID: submit: new tensor 0: wanted at most 5 dimensions and a dtype, found 2, 15");
    give(CH_ROLE_INPUT, &made);
    EXPECT_EQ(refusal(), "") << "the description of a tensor that is not made is not looked at";
}

TEST_F(TaskCheckTest, RefusesNewTensorsOfTooManyElements) {
    const auto accepts = [&] { return check_new_tensor(made, "call", 3, &error).ok(); };
    made.shape[0] = 65'536;
    made.shape[1] = 65'535;
    EXPECT_TRUE(accepts());
    made.shape[1] = 65'536;
    EXPECT_FALSE(accepts());
    EXPECT_EQ(tests::text_of(error), "TASK_INVALID: call: new tensor 3: wanted fewer than 2^32 elements");
    made.ndims = CH_MAX_DIMS;
    for (uint32_t& length : made.shape) length = 65'536;  // 2^80: the product has no room in 64 bits
    EXPECT_FALSE(accepts());
    made.shape[4] = 0;
    EXPECT_TRUE(accepts()) << "it has no elements";
    made.ndims = CH_MAX_DIMS + 1;
    EXPECT_FALSE(accepts());
    made.ndims = 0;
    EXPECT_TRUE(accepts()) << "it has one element";
}

TEST_F(TensorCheckTest, AcceptsViewsOfTheirBuffer) {
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(region.first_byte, 0x1000u);
    EXPECT_EQ(region.end_byte, 0x1080u);
    tensor.shape[0] = 2;
    tensor.offset[0] = 2;
    tensor.address += 2 * 8 * sizeof(float);
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(region.array, 0x1000u);
}

TEST_F(TensorCheckTest, RefusesWhatIsNoTensor) {
    EXPECT_EQ(check_tensor(nullptr, "call", 6, &region, &error), CH_TASK_INVALID);
    EXPECT_EQ(tests::text_of(error), "TASK_INVALID: call: tensor 6: there is none");
    const ch_device_tensor good = tensor;
    tensor = {};
    EXPECT_NE(refusal().find("tensor 6 was never made"), std::string::npos);
    tensor = good;
    tensor.ndims = CH_MAX_DIMS + 1;
    EXPECT_NE(refusal().find("found 6 and 0"), std::string::npos) << refusal();
    tensor = good;
    tensor.dtype = UINT8_MAX;
    EXPECT_NE(refusal().find("found 2 and 255"), std::string::npos) << refusal();
    tensor = good;
    tensor.stride[0] = 9;
    EXPECT_NE(refusal().find("not those of a box"), std::string::npos) << refusal();
}

TEST_F(TensorCheckTest, RefusesBytesOutsideTheBuffer) {
    tensor.buffer_bytes -= 1;
    EXPECT_EQ(refusal(), "TASK_INVALID: call: tensor 6: bytes 0 to 128 of a buffer of 127 bytes");
    tensor.buffer_bytes += 1;
    tensor.address -= 4;
    EXPECT_EQ(refusal(), "TASK_INVALID: call: tensor 6: bytes -4 to 124 of a buffer of 128 bytes");
    tensor.address = tensor.buffer + 4;
    EXPECT_EQ(refusal(), "TASK_INVALID: call: tensor 6: bytes 4 to 132 of a buffer of 128 bytes");
    tensor.address = tensor.buffer + 0x1'0000'0000;
    EXPECT_NE(refusal(), "");
    tensor.address = UINT64_MAX - 63;  // its end is behind the last address
    EXPECT_NE(refusal(), "");
    const uint32_t large[] = {65'536, 32'768};
    ch_set_row_major(&tensor, large, 2);
    tensor.dtype = CH_FLOAT64;
    tensor.address = tensor.buffer + 64 - (uint64_t{1} << 34);
    EXPECT_NE(refusal(), "") << "it begins before all addresses, and its end lies in the buffer";
    tensor.address = 0;
    tensor.shape[0] = 0;
    EXPECT_EQ(refusal(), "") << "nobody will touch a tensor without elements";
}

}  // namespace chiphost::graph
