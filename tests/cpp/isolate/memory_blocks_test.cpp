// SPDX-License-Identifier: Apache-2.0
#include "isolate/memory_blocks.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "test_files.h"

namespace chiphost::isolate {

namespace {

class MemoryBlocksTest : public testing::Test {
protected:
    // "" if the range is allowed.
    std::string refusal(const MemoryBlock& block, uint64_t offset, uint64_t bytes) {
        return blocks.check(block, offset, bytes, "here", &error).ok() ? "" : tests::text_of(error);
    }

    MemoryBlocks blocks;
    ch_error error = no_error();
};

}  // namespace

TEST_F(MemoryBlocksTest, AllowRangesThatLieInTheBlock) {
    const MemoryBlock block = blocks.add(0x1000, 100);
    for (const auto& [offset, bytes] : {std::pair<uint64_t, uint64_t>{0, 100}, {0, 0}, {99, 1}, {100, 0}}) {
        EXPECT_EQ(refusal(block, offset, bytes), "") << offset << " " << bytes;
    }
    EXPECT_EQ(refusal(block, 1, 100),
              "INVALID_ARGUMENT: here: wanted 100 bytes from byte 1 on, of memory that has 100");
    const std::pair<uint64_t, uint64_t> outside[] = {{0, 101},        {100, 1},          {101, 0},
                                                     {1, UINT64_MAX},  // the sum overflows to a number in the block
                                                     {UINT64_MAX, 1}, {UINT64_MAX, 101}, {UINT64_MAX, UINT64_MAX}};
    for (const auto& [offset, bytes] : outside) EXPECT_NE(refusal(block, offset, bytes), "") << offset << " " << bytes;
}

TEST_F(MemoryBlocksTest, AllowNothingButNothingOfAnEmptyBlock) {
    const MemoryBlock empty = blocks.add(0x1000, 0);
    EXPECT_EQ(refusal(empty, 0, 0), "");
    EXPECT_NE(refusal(empty, 0, 1), "");
    EXPECT_NE(refusal(empty, 1, 0), "");
}

TEST_F(MemoryBlocksTest, TellABlockFromALaterOneAtItsAddress) {
    const MemoryBlock first = blocks.add(0x1000, 100);
    blocks.remove(first);
    EXPECT_EQ(refusal(first, 0, 1), "INVALID_ARGUMENT: here: the memory at 0x1000 (100 bytes) was freed");
    EXPECT_EQ(refusal(first, 0, 0), "INVALID_ARGUMENT: here: the memory at 0x1000 (100 bytes) was freed");
    const MemoryBlock second = blocks.add(0x1000, 100);
    EXPECT_FALSE(blocks.has(first));
    EXPECT_TRUE(blocks.has(second));
    blocks.remove(first);
    EXPECT_TRUE(blocks.has(second)) << "a block that is freed twice takes nobody else's along";
    EXPECT_FALSE(blocks.has(MemoryBlock{})) << "a block that nobody has made";
    EXPECT_FALSE(blocks.has(MemoryBlock{second.address, second.bytes, second.number + 1}));
}

TEST_F(MemoryBlocksTest, DropEachBlockOnce) {
    blocks.add(0x1000, 1);
    const MemoryBlock removed = blocks.add(0x2000, 1);
    const MemoryBlock kept = blocks.add(0x3000, 1);
    blocks.remove(removed);
    std::multiset<uint64_t> dropped;
    const auto drop = [&](uint64_t address) { dropped.insert(address); };
    blocks.clear(drop);
    EXPECT_EQ(dropped, (std::multiset<uint64_t>{0x1000, 0x3000}));
    EXPECT_FALSE(blocks.has(kept));
    blocks.clear(drop);
    EXPECT_EQ(dropped.size(), 2u);
    EXPECT_NE(blocks.add(0x3000, 1).number, kept.number) << "a number never comes again";
}

TEST(AllocatedBlock, IsAlignedAndZero) {
    std::vector<char*> made;
    for (const uint64_t bytes : {0u, 1u, 63u, 64u, 65u, 4096u, 100'000u}) {
        auto* block = static_cast<char*>(allocate_block(bytes));
        ASSERT_NE(block, nullptr);
        EXPECT_EQ(reinterpret_cast<uint64_t>(block) % memory_alignment, 0u) << bytes;
        for (uint64_t i = 0; i < bytes; ++i) ASSERT_EQ(block[i], 0) << i << " of " << bytes;
        for (uint64_t i = 0; i < bytes; ++i) block[i] = 'x';  // the next may not lie there
        made.push_back(block);
    }
    for (char* block : made) free_block(block);
}

TEST(AllocatedBlock, IsNoneIfTheSizeOverflows) {
    for (const uint64_t bytes : {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 2 * memory_alignment + 1}) {
        EXPECT_EQ(allocate_block(bytes), nullptr) << bytes;
    }
}

}  // namespace chiphost::isolate
