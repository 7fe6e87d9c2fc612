// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <gtest/gtest.h>
#include <string.h>

#include <vector>

namespace chiphost::platform {

TEST(Arena, PiecesAreFarApartAndZero) {
    Arena arena(1 << 20);
    ASSERT_NE(arena.begin(), 0u);
    uint64_t end = arena.begin();
    for (const uint64_t bytes : {1u, 4096u, 100'000u}) {
        const uint64_t address = arena.take(bytes);
        ASSERT_NE(address, 0u);
        EXPECT_EQ(address % 4096, 0u);
        EXPECT_GE(address - end, Arena::gap_bytes);
        EXPECT_LE(address + bytes + Arena::gap_bytes, arena.end());
        EXPECT_EQ(std::vector<char>(bytes),
                  std::vector<char>(reinterpret_cast<char*>(address), reinterpret_cast<char*>(address) + bytes));
        end = address + bytes;
    }
}

TEST(Arena, AsManyBytesAgainLieBehindTheEnd) {
    const Arena arena(1 << 20);
    auto* const first = reinterpret_cast<volatile char*>(arena.end());
    auto* const last = first + (arena.end() - arena.begin()) - 1;
    EXPECT_EQ(*last, 0);
    *last = 1;
    EXPECT_EQ(*first, 0);
}

TEST(Arena, WhatLiesBetweenCanBeTouched) {
    Arena arena(1 << 20);
    auto* const piece = reinterpret_cast<volatile char*>(arena.take(64));
    piece[-1] = piece[Arena::gap_bytes] = 1;
}

TEST(Arena, NoAddressIsUsedTwiceInARun) {
    Arena arena(1 << 20);
    const uint64_t first = arena.take(64);
    memset(reinterpret_cast<void*>(first), 1, 64);
    arena.give_back(first);
    EXPECT_NE(arena.take(64), first);
    arena.begin_run();
    EXPECT_NE(arena.take(64), first) << "behind what is still taken";
    Arena other(1 << 20);
    const uint64_t before = other.take(64);
    memset(reinterpret_cast<void*>(before), 1, 64);
    other.give_back(before);
    other.begin_run();
    EXPECT_EQ(other.take(64), before);
    EXPECT_EQ(*reinterpret_cast<char*>(before), 0);
}

TEST(Arena, HasAnEnd) {
    Arena arena(1 << 20);
    EXPECT_EQ(arena.take(arena.end() - arena.begin()), 0u);
    EXPECT_EQ(arena.take(UINT64_MAX), 0u);
    EXPECT_NE(arena.take(64), 0u);
}

}  // namespace chiphost::platform
