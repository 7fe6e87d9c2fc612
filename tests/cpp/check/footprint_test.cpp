// SPDX-License-Identifier: Apache-2.0
#include "check/footprint.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "random_seed.h"

namespace chiphost::check {

namespace {

std::set<uint64_t> bytes_of(const Footprint& footprint, ByteState state) {
    std::set<uint64_t> bytes;
    uint64_t last = 0;
    footprint.for_each_range(state, [&](uint64_t begin, uint64_t end) {
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
            add_states(*page, write ? was_written : was_read, begin, end);
            for (uint32_t byte = begin; byte < end; ++byte) (write ? written : read).insert(number * page_bytes + byte);
        }
        ASSERT_EQ(bytes_of(footprint, was_read), read);
        ASSERT_EQ(bytes_of(footprint, was_written), written);
        footprint.forget_accesses();
        EXPECT_TRUE(bytes_of(footprint, was_read).empty());
        EXPECT_FALSE(footprint.empty());
    }
}

TEST(Footprint, APageThatIsUsedAgainAllowsNothing) {
    PagePool pool;
    {
        Footprint footprint(&pool);
        add_states(*footprint.add(1), may_write, 0, page_bytes);
    }
    Footprint footprint(&pool);
    for (const uint8_t state : footprint.add(2)->state) EXPECT_EQ(state, 0);
}

TEST(Footprint, StatesAreTakenAway) {
    Page page{};
    add_states(page, may_read | may_write, 10, 300);
    remove_states(page, may_read, 60, 200);
    for (uint32_t byte = 0; byte < page_bytes; ++byte) {
        const bool inside = byte >= 10 && byte < 300;
        const bool readable = inside && (byte < 60 || byte >= 200);
        EXPECT_EQ(page.state[byte], (readable ? may_read : 0) | (inside ? may_write : 0)) << byte;
    }
}

}  // namespace chiphost::check
