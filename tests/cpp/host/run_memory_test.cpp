// SPDX-License-Identifier: Apache-2.0
#include "host/run_memory.h"

#include <gtest/gtest.h>

#include "fake_device.h"

namespace chiphost::host {

const char* const runtime_name = "test";

namespace {

class RunMemoryTest : public testing::Test {
protected:
    uint64_t allocate(uint64_t bytes) {
        uint64_t address = 0;
        EXPECT_EQ(memory->allocate(bytes, &address, &error), CH_OK);
        return address;
    }
    bool allows(uint64_t address, uint64_t bytes) {
        error = no_error();
        const int32_t code = memory->check_range(address, bytes, "copy", &error);
        EXPECT_TRUE(code == CH_OK || code == CH_DEVICE_POINTER_INVALID) << code_name(code);
        return code == CH_OK;
    }

    platform::Device device;
    std::unique_ptr<RunMemory> memory = std::make_unique<RunMemory>(&device);
    ch_error error = no_error();
};

}  // namespace

TEST_F(RunMemoryTest, AllowsWhatIsInsideOneAllocation) {
    const uint64_t begin = allocate(100), end = begin + 100;
    for (const auto& [address, bytes] : {std::pair<uint64_t, uint64_t>{begin, 100}, {begin, 0}, {begin + 99, 1}}) {
        EXPECT_TRUE(allows(address, bytes)) << address - begin << " " << bytes;
    }
    EXPECT_FALSE(allows(begin, 101));
    EXPECT_FALSE(allows(begin + 1, 100));
    EXPECT_FALSE(allows(begin + 99, 2));
    EXPECT_FALSE(allows(begin + 1, UINT64_MAX));  // the sum overflows
    EXPECT_FALSE(allows(end, 1));
    EXPECT_FALSE(allows(end, 0)) << "one past the end belongs to whatever comes next";
    EXPECT_FALSE(allows(end + 1, 0));
    EXPECT_FALSE(allows(begin - 1, 1));
    EXPECT_FALSE(allows(begin - 1, 10));
    EXPECT_FALSE(allows(0, 0));
}

TEST_F(RunMemoryTest, AllowsTheBeginningOfAnEmptyAllocation) {
    const uint64_t empty = allocate(0);
    EXPECT_TRUE(allows(empty, 0));
    EXPECT_FALSE(allows(empty, 1));
    EXPECT_FALSE(allows(empty + 1, 0));
}

TEST_F(RunMemoryTest, ForgetsWhatWasReleased) {
    const uint64_t first = allocate(8), second = allocate(8);
    EXPECT_EQ(memory->release(first + 1, &error), CH_DEVICE_POINTER_INVALID);
    EXPECT_EQ(memory->release(first, &error), CH_OK);
    EXPECT_EQ(memory->release(first, &error), CH_DEVICE_POINTER_INVALID);
    EXPECT_FALSE(allows(first, 1));
    EXPECT_TRUE(allows(second, 8));
    EXPECT_EQ(device.memory.size(), 1u);
}

TEST_F(RunMemoryTest, GivesEverythingBack) {
    allocate(8);
    allocate(0);
    memory->release_all();
    EXPECT_EQ(device.memory.size(), 0u);
    const uint64_t again = allocate(8);
    EXPECT_TRUE(allows(again, 8));
    memory.reset();
    EXPECT_EQ(device.memory.size(), 0u);
}

}  // namespace chiphost::host
