// SPDX-License-Identifier: Apache-2.0
#include "check/footprint.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

#include "random_seed.h"

namespace chiphost::check {

namespace {

// Memory of a few pages, with its shadow.
class ShadowedMemory {
public:
    static constexpr uint64_t pages = 8;

    ShadowedMemory() : bytes_((2 * pages + 1) * page_bytes) {}

    Shadow shadow() const { return {first_number() << page_bits, (first_number() + pages) << page_bits}; }
    uint64_t first_number() const { return (reinterpret_cast<uint64_t>(bytes_.data()) >> page_bits) + 1; }
    // True if nothing is left in the shadow.
    bool is_clean() const {
        for (uint64_t page = 0; page < pages; ++page) {
            for (const uint8_t state : shadow().page(first_number() + page)->state) {
                if (state != 0) return false;
            }
        }
        return true;
    }

private:
    std::vector<uint8_t> bytes_;
};

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
    const ShadowedMemory memory;
    const Shadow shadow = memory.shadow();
    for (int round = 0; round < 20; ++round) {
        ASSERT_TRUE(memory.is_clean());
        Footprint footprint(&pool, &shadow);
        std::set<uint64_t> read, written;
        for (int step = 0; step < 30; ++step) {
            if (random() % 4 == 0) {
                footprint.put_aside();
                ASSERT_TRUE(memory.is_clean());
                if (random() % 2) {
                    ASSERT_EQ(bytes_of(footprint, was_read), read);
                }
                footprint.bring_back();
            }
            const uint64_t number = memory.first_number() + 2 + random() % 3;
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
    const ShadowedMemory memory;
    const Shadow shadow = memory.shadow();
    for (const bool aside : {false, true}) {
        Footprint footprint(&pool, &shadow);
        add_states(*footprint.add(memory.first_number()), may_write, 0, page_bytes);
        if (aside) footprint.put_aside();
        footprint.clear();
        EXPECT_TRUE(memory.is_clean());
        EXPECT_EQ(footprint.find(memory.first_number()), nullptr);
        for (const uint8_t state : footprint.add(memory.first_number())->state) EXPECT_EQ(state, 0);
    }
}

TEST(Footprint, FindsEveryPage) {
    constexpr uint64_t pages = 3000;
    std::vector<uint8_t> bytes((2 * pages + 1) * page_bytes);
    const uint64_t first = (reinterpret_cast<uint64_t>(bytes.data()) >> page_bits) + 1;
    const Shadow shadow(first << page_bits, (first + pages) << page_bits);
    PagePool pool;
    Footprint footprint(&pool, &shadow);
    for (const uint64_t count : {pages, uint64_t{10}, uint64_t{20}}) {
        for (uint64_t page = 0; page < count; ++page) {
            ASSERT_EQ(footprint.find(first + page), nullptr);
            ASSERT_EQ(footprint.add(first + page), shadow.page(first + page));
        }
        footprint.put_aside();
        footprint.bring_back();
        for (uint64_t page = 0; page < pages; ++page) {
            ASSERT_EQ(footprint.find(first + page), page < count ? shadow.page(first + page) : nullptr);
        }
        footprint.clear();
    }
}

TEST(Footprint, TellsWhatAPageHasInCommon) {
    Page page{};
    add_states(page, may_read, 0, page_bytes);
    EXPECT_EQ(common_states(page).all, may_read);
    EXPECT_EQ(common_states(page).any, may_read);
    for (const uint32_t byte : {0u, 1u, 63u, 64u, 2000u, 4095u}) {
        Page one = page;
        add_states(one, was_read, byte, byte + 1);
        EXPECT_EQ(common_states(one).all, may_read);
        EXPECT_EQ(common_states(one).any, may_read | was_read);
        Page lacks = page;
        remove_states(lacks, may_read, byte, byte + 1);
        EXPECT_EQ(common_states(lacks).all, 0);
        EXPECT_EQ(first_without(lacks, may_read, 0, page_bytes), byte);
        EXPECT_EQ(first_without(lacks, may_read, byte + 1, page_bytes), page_bytes);
    }
    EXPECT_EQ(first_without(page, may_read, 3, 3), 3u);
    EXPECT_EQ(first_without(page, may_write, 3, 9), 3u);
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
