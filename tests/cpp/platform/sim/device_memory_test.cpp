// SPDX-License-Identifier: Apache-2.0
#include "device_memory.h"

#include <gtest/gtest.h>
#include <string.h>

#include <string>
#include <vector>

#include "sim_port.h"
#include "test_files.h"

namespace chiphost::platform {

namespace {

constexpr uint64_t limit = 1 << 20;

class DeviceMemoryTest : public testing::Test {
protected:
    // 0 without memory, with `error` filled.
    uint64_t allocate(uint64_t bytes, bool zeroed = false) {
        uint64_t address = 0;
        return memory.allocate(bytes, zeroed, &address, &error).ok() ? address : 0;
    }
    static bool all_are(uint64_t address, uint64_t bytes, int value) {
        const auto* data = reinterpret_cast<const unsigned char*>(address);
        for (uint64_t i = 0; i < bytes; ++i) {
            if (data[i] != value) return false;
        }
        return true;
    }

    DeviceMemory memory{limit};
    ch_error error = no_error();
};

}  // namespace

TEST_F(DeviceMemoryTest, IsAlignedAndHasKnownContent) {
    for (const uint64_t bytes : {1u, 63u, 64u, 65u, 4096u, (64u << 10) - 1, 64u << 10, 100'000u}) {
        for (const bool zeroed : {false, true}) {
            const uint64_t address = allocate(bytes, zeroed);
            ASSERT_NE(address, 0u) << tests::text_of(error);
            EXPECT_EQ(address % 64, 0u) << bytes;
            EXPECT_TRUE(all_are(address, bytes, zeroed ? 0 : undefined_byte)) << bytes << zeroed;
            memset(reinterpret_cast<void*>(address), 'x', bytes);
            memory.release(address);
        }
    }
}

TEST_F(DeviceMemoryTest, WritesBesideAnAllocationAreNoticedOnce) {
    for (const uint64_t bytes : {1u, 64u, 100u, 4096u}) {
        for (const int64_t at :
             {int64_t{-128}, int64_t{-1}, static_cast<int64_t>(bytes), static_cast<int64_t>(bytes) + 127}) {
            const uint64_t address = allocate(bytes);
            ASSERT_NE(address, 0u);
            EXPECT_TRUE(memory.check_red_zones(&error).ok()) << tests::text_of(error);
            reinterpret_cast<char*>(address)[at] = 'x';
            EXPECT_EQ(memory.check_red_zones(&error), CH_DEVICE_MEMORY_OVERRUN) << bytes << " " << at;
            const std::string where = at < 0 ? std::to_string(-at) + " before"
                                             : std::to_string(at + 1 - static_cast<int64_t>(bytes)) + " behind";
            EXPECT_NE(
                tests::text_of(error).find("byte " + where + " an allocation of " + std::to_string(bytes) + " bytes"),
                std::string::npos)
                << tests::text_of(error);
            EXPECT_TRUE(memory.check_red_zones(&error).ok()) << "the next launch is not blamed";
            memory.release(address);
        }
    }
}

TEST_F(DeviceMemoryTest, NobodyCanWriteBesideLargeZeroedMemory) {
    const uint64_t bytes = 100'000;
    const uint64_t address = allocate(bytes, true);
    ASSERT_NE(address, 0u);
    EXPECT_TRUE(memory.check_red_zones(&error).ok());
    EXPECT_DEATH(reinterpret_cast<volatile char*>(address)[-1] = 'x', "");
    EXPECT_DEATH(reinterpret_cast<volatile char*>(address)[bytes + 4096] = 'x', "");
    memory.release(address);
}

TEST_F(DeviceMemoryTest, IsExhaustedAtItsLimit) {
    const uint64_t most = allocate(limit - 1), last = allocate(0);
    ASSERT_NE(most, 0u);
    ASSERT_NE(last, 0u) << "memory of no bytes takes one";
    EXPECT_NE(last, most);
    EXPECT_EQ(allocate(0), 0u);
    EXPECT_EQ(tests::text_of(error),
              "DEVICE_MEMORY_EXHAUSTED: device memory: wanted 1 bytes, 0 of 1048576 bytes are free");
    memory.release(last);
    EXPECT_EQ(allocate(2), 0u);
    EXPECT_EQ(tests::text_of(error),
              "DEVICE_MEMORY_EXHAUSTED: device memory: wanted 2 bytes, 1 of 1048576 bytes are free");
    memory.release(most);
    for (const bool zeroed : {false, true}) {
        EXPECT_EQ(allocate(limit + 1, zeroed), 0u);
        EXPECT_EQ(allocate(UINT64_MAX, zeroed), 0u);
        const uint64_t all = allocate(limit, zeroed);
        EXPECT_NE(all, 0u) << "nothing is lost";
        memory.release(all);
    }
}

TEST_F(DeviceMemoryTest, TakesNothingBackThatItHasNotGiven) {
    const uint64_t given = allocate(limit / 2);
    char foreign[64] = "";
    for (const uint64_t address : {uint64_t{0}, reinterpret_cast<uint64_t>(foreign), given + 1, given + 64}) {
        memory.release(address);
        EXPECT_EQ(allocate(limit / 2 + 1), 0u) << "there is no more room than before";
    }
    EXPECT_TRUE(all_are(given, limit / 2, undefined_byte)) << "it is still there";
    memory.release(given);
    memory.release(given);
    EXPECT_EQ(allocate(limit + 1), 0u) << "what is released twice counts once";
    EXPECT_NE(allocate(limit), 0u);
}

TEST_F(DeviceMemoryTest, SaysThatTheHostHasNone) {
    DeviceMemory endless(UINT64_MAX);
    uint64_t address = 0;
    EXPECT_EQ(endless.allocate(uint64_t{1} << 62, true, &address, &error), CH_DEVICE_MEMORY_EXHAUSTED);
    EXPECT_NE(strstr(error.message, "but the host has no memory to simulate them"), nullptr) << error.message;
    // Aligned, this would be 0 bytes.
    EXPECT_EQ(endless.allocate(UINT64_MAX, false, &address, &error), CH_DEVICE_MEMORY_EXHAUSTED);
    EXPECT_NE(strstr(error.message, "but the host has no memory to simulate them"), nullptr) << error.message;
    EXPECT_EQ(address, 0u);
}

}  // namespace chiphost::platform
