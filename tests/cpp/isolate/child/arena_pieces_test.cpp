// SPDX-License-Identifier: Apache-2.0
#include "isolate/child/arena_pieces.h"

#include <gtest/gtest.h>
#include <stdint.h>

namespace chiphost::isolate {

namespace {

constexpr uint64_t piece_alignment = 64;

}  // namespace

// Overlapping arrays are one piece, in which they lie as they did: arrays that share memory go on sharing it.
TEST(ArenaPieces, KeepsWhatOverlapsTogether) {
    alignas(64) static char memory[4096];
    ArenaPieces pieces;
    pieces.add(memory + 100, 50);
    pieces.add(memory + 120, 10);  // inside
    pieces.add(memory + 140, 60);  // over its end
    pieces.add(memory + 1000, 8);
    uint64_t end = 4000;
    pieces.place(&end);
    const uint64_t first = pieces.offset_of(memory + 100);
    for (const int at : {100, 101, 120, 140, 149, 199}) {
        EXPECT_EQ(pieces.offset_of(memory + at), first + static_cast<uint64_t>(at) - 100) << at;
    }
    const uint64_t second = pieces.offset_of(memory + 1000);
    EXPECT_GE(first, 4000u);
    EXPECT_GE(second, first + 100);
    EXPECT_GE(end, second + 8);
    // The piece is as aligned as the caller's array is.
    EXPECT_EQ(first % piece_alignment, 100 % piece_alignment);
    EXPECT_EQ(second % piece_alignment, 1000 % piece_alignment);
}

// Pieces do not share bytes, even those that touched, and the first and the last byte of each array are found in them.
TEST(ArenaPieces, LaysPiecesOutOneAfterTheOther) {
    alignas(64) static char memory[4096];
    ArenaPieces pieces;
    for (int i = 7; i >= 0; --i) pieces.add(memory + 300 * i, 300);
    uint64_t end = 0;
    pieces.place(&end);
    uint64_t begin = 0;
    for (int i = 0; i < 8; ++i) {
        const uint64_t at = pieces.offset_of(memory + 300 * i);
        EXPECT_GE(at, begin) << i;
        EXPECT_EQ(pieces.offset_of(memory + 300 * i + 299), at + 299) << i;
        begin = at + 300;
    }
    EXPECT_GE(end, begin);
}

}  // namespace chiphost::isolate
