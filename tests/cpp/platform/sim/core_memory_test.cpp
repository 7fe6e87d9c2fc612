// SPDX-License-Identifier: Apache-2.0
#include "core_memory.h"

#include <gtest/gtest.h>
#include <string.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "chiphost/require.h"

namespace chiphost::platform {

namespace {

bool is_zero(const void* memory, uint64_t bytes) {
    const char* const begin = static_cast<const char*>(memory);
    return std::all_of(begin, begin + bytes, [](char byte) { return byte == 0; });
}

constexpr LocalMemory every_memory[] = {LocalMemory::ub, LocalMemory::l1, LocalMemory::l0a, LocalMemory::l0b,
                                        LocalMemory::l0c};

}  // namespace

TEST(CoreMemory, HasWhatTheChipHas) {
    CoreMemory memory;
    std::set<std::pair<char*, char*>> ranges;
    for (const LocalMemory which : every_memory) {
        uint64_t bytes = 0;
        auto* const at = static_cast<char*>(memory.at(which, &bytes));
        ASSERT_NE(at, nullptr);
        EXPECT_EQ(bytes, chip.local_memory_bytes[static_cast<uint32_t>(which)]);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(at) % 4096, 0u);
        EXPECT_TRUE(is_zero(at, bytes));
        memset(at, 1, bytes);
        ranges.emplace(at, at + bytes);
    }
    char* end = nullptr;
    for (const auto& [first, last] : ranges) {
        EXPECT_GE(first, end) << "no two of them overlap";
        end = last;
    }
    uint64_t bytes = 1;
    EXPECT_EQ(memory.at(static_cast<LocalMemory>(local_memory_count), &bytes), nullptr);
    EXPECT_EQ(bytes, 0u);
}

TEST(CoreMemory, IsZeroAtTheBeginOfARunAndKeptWithin) {
    CoreMemory memory;
    for (int run = 0; run < 3; ++run) {
        memory.begin_run();
        for (int kernel = 0; kernel < 3; ++kernel) {
            for (const LocalMemory which : every_memory) {
                uint64_t bytes = 0;
                auto* const at = static_cast<char*>(memory.at(which, &bytes));
                EXPECT_EQ(at[0], kernel) << "run " << run;
                EXPECT_EQ(at[bytes - 1], kernel) << "run " << run;
                memset(at, kernel + 1, bytes);
            }
        }
    }
}

TEST(CoreMemory, BelongsToOneCore) {
    CoreMemory first, second;
    uint64_t bytes = 0;
    memset(first.at(LocalMemory::ub, &bytes), 1, bytes);
    EXPECT_TRUE(is_zero(second.at(LocalMemory::ub, &bytes), bytes));
}

TEST(SharedMemory, IsTheSameForABlockOfATask) {
    SharedMemory memory;
    void* const one = memory.at(5, 0, "one", 100);
    void* const two = memory.at(5, 0, "two", 100);
    EXPECT_NE(one, two);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(one) % 64, 0u);
    memset(one, 1, 100);
    EXPECT_TRUE(is_zero(two, 100));
    EXPECT_EQ(memory.at(5, 0, "one", 100), one);
    EXPECT_EQ(memory.at(5, 0, "two", 100), two);
    EXPECT_FALSE(is_zero(one, 100));
}

TEST(SharedMemory, IsZeroForEveryBlockTaskAndRun) {
    SharedMemory memory;
    const auto write = [&](int64_t task, int32_t block, uint64_t bytes) {
        void* const at = memory.at(task, block, "pipe", bytes);
        EXPECT_TRUE(is_zero(at, bytes)) << "task " << task << ", block " << block;
        memset(at, 1, bytes);
        return at;
    };
    void* const first = write(0, 0, 1000);
    EXPECT_EQ(write(0, 1, 1000), first) << "what is nobody's is used again";
    EXPECT_EQ(write(1, 1, 1000), first);
    write(2, 1, 5000);
    write(3, 1, 0);
    write(4, 1, 1000);
    memory.begin_run();
    write(4, 1, 1000);
}

TEST(SharedMemory, RefusesAnotherSizeAndNoName) {
    SharedMemory memory;
    memory.at(0, 0, "pipe", 100);
    try {
        memory.at(0, 0, "pipe", 101);
        FAIL() << "two sizes under one name";
    } catch (const BadArgument& error) {
        EXPECT_STREQ(error.what(), "shared memory \"pipe\": it has 100 bytes, and was asked for with 101");
    }
    EXPECT_THROW(memory.at(0, 0, "", 1), BadArgument);
    for (const uint64_t vast : {UINT64_MAX, UINT64_MAX - 63}) {
        EXPECT_THROW(memory.at(0, 0, "vast", vast), std::bad_alloc) << vast;
    }
#if !CHIPHOST_SANITIZED  // sanitizers end a process that asks for so much
    EXPECT_THROW(memory.at(0, 0, "vast", uint64_t{1} << 60), std::bad_alloc);
#endif
    memset(memory.at(0, 0, "vast", 64), 1, 64);  // as if it had not been asked for before
}

TEST(SharedMemory, GivesSeveralThreadsTheSame) {
    SharedMemory memory;
    for (int64_t task = 0; task < 200; ++task) {
        void* found[3] = {};
        std::vector<std::thread> cores;
        for (void*& at : found) {
            cores.emplace_back([&] {
                for (int i = 0; i < 4; ++i) at = memory.at(task, 0, ("pipe " + std::to_string(i)).c_str(), 64);
            });
        }
        for (std::thread& core : cores) core.join();
        EXPECT_EQ(found[0], found[1]);
        EXPECT_EQ(found[0], found[2]);
    }
}

}  // namespace chiphost::platform
