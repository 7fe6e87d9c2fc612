// SPDX-License-Identifier: Apache-2.0
#include "check/footprint.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "random_seed.h"

namespace chiphost::check {

namespace {

std::set<uint64_t> bytes_of(const Footprint& footprint, uint64_t AccessWord::* member) {
    std::set<uint64_t> bytes;
    uint64_t last = 0;
    footprint.for_each_range(member, [&](uint64_t begin, uint64_t end) {
        EXPECT_LT(begin, end);
        EXPECT_TRUE(bytes.empty() || begin > last) << "ranges that touch are one, also over the end of a page";
        for (uint64_t byte = begin; byte < end; ++byte) bytes.insert(byte);
        last = end;
    });
    return bytes;
}

}  // namespace

TEST(Footprint, IsTheBytesThatWereNoted) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    PagePool pool;
    for (int round = 0; round < 20; ++round) {
        Footprint footprint(&pool);
        std::set<uint64_t> read, written;
        for (int step = 0; step < 30; ++step) {
            const uint64_t number = 7 + random() % 3;
            Page* page = footprint.find(number);
            if (!page) page = footprint.add(number);
            const uint32_t begin = random() % page_bytes;
            const uint32_t end = begin + random() % (page_bytes - begin + 1);
            const bool write = random() % 2;
            set_bits(*page, write ? &AccessWord::written : &AccessWord::read, begin, end);
            for (uint32_t byte = begin; byte < end; ++byte) (write ? written : read).insert(number * page_bytes + byte);
        }
        ASSERT_EQ(bytes_of(footprint, &AccessWord::read), read);
        ASSERT_EQ(bytes_of(footprint, &AccessWord::written), written);
        footprint.forget_accesses();
        EXPECT_TRUE(bytes_of(footprint, &AccessWord::read).empty());
        EXPECT_FALSE(footprint.empty());
    }
}

TEST(Footprint, APageThatIsUsedAgainAllowsNothing) {
    PagePool pool;
    {
        Footprint footprint(&pool);
        set_bits(*footprint.add(1), &AccessWord::may_write, 0, page_bytes);
    }
    Footprint footprint(&pool);
    for (const AccessWord& word : footprint.add(2)->words) EXPECT_EQ(word.may_write, 0u);
}

TEST(Footprint, BitsAreCleared) {
    Page page{};
    set_bits(page, &AccessWord::may_read, 10, 300);
    clear_bits(page, &AccessWord::may_read, 60, 200);
    for (uint32_t byte = 0; byte < page_bytes; ++byte) {
        const bool expected = (byte >= 10 && byte < 60) || (byte >= 200 && byte < 300);
        EXPECT_EQ(page.words[byte / 64].may_read >> byte % 64 & 1, expected) << byte;
    }
}

}  // namespace chiphost::check
