// SPDX-License-Identifier: Apache-2.0
#include "check/byte_ranges.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "random_seed.h"

namespace chiphost::check {

namespace {

constexpr uint64_t bytes = 64;

std::set<uint64_t> members(const ByteRanges& ranges, uint64_t begin, uint64_t end) {
    std::set<uint64_t> found;
    uint64_t last = 0;
    ranges.for_each_in(begin, end, [&](uint64_t from, uint64_t to) {
        EXPECT_LT(from, to);
        EXPECT_TRUE(found.empty() || from > last) << "ranges that touch are one";
        for (uint64_t byte = from; byte < to; ++byte) found.insert(byte);
        last = to;
    });
    return found;
}

}  // namespace

TEST(ByteRanges, AreTheSetThatWasMade) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    for (int round = 0; round < 200; ++round) {
        ByteRanges ranges;
        std::set<uint64_t> expected;
        for (int step = 0; step < 40; ++step) {
            const uint64_t begin = random() % bytes;
            const uint64_t end = begin + random() % 12;
            const bool add = random() % 3 != 0;
            add ? ranges.add(begin, end) : ranges.remove(begin, end);
            for (uint64_t byte = begin; byte < end; ++byte)
                add ? void(expected.insert(byte)) : void(expected.erase(byte));
            ASSERT_EQ(members(ranges, 0, 2 * bytes), expected);
            const uint64_t from = random() % bytes;
            const uint64_t to = from + random() % 12;
            uint64_t missing = from;
            while (missing < to && expected.count(missing)) ++missing;
            EXPECT_EQ(ranges.first_missing(from, to), missing);
            const std::set<uint64_t> part(expected.lower_bound(from), expected.lower_bound(to));
            EXPECT_EQ(members(ranges, from, to), part);
        }
    }
}

}  // namespace chiphost::check
