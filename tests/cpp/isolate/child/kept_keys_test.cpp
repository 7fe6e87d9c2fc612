// SPDX-License-Identifier: Apache-2.0
#include "isolate/child/kept_keys.h"

#include <gtest/gtest.h>

#include <set>

namespace chiphost::isolate {

namespace {

// Sends a thing if the child does not have it; returns its slot.
uint32_t use(KeptKeys& keys, const std::string& key, bool* out_kept = nullptr) {
    const KeptKeys::Place place = keys.find(key);
    if (!place.kept) keys.put(place.slot, key);
    if (out_kept) *out_kept = place.kept;
    return place.slot;
}

}  // namespace

TEST(KeptKeys, KeepsSoManyAndNoMore) {
    KeptKeys keys;
    std::set<uint32_t> slots;
    for (uint32_t i = 0; i < KeptKeys::slots_max; ++i) slots.insert(use(keys, std::to_string(i)));
    EXPECT_EQ(slots.size(), KeptKeys::slots_max);
    EXPECT_EQ(*slots.rbegin(), KeptKeys::slots_max - 1);
    bool kept = true;
    EXPECT_LT(use(keys, "one more", &kept), KeptKeys::slots_max);
    EXPECT_FALSE(kept);
    for (uint32_t i = 1; i < KeptKeys::slots_max; ++i) {
        use(keys, std::to_string(i), &kept);
        EXPECT_TRUE(kept) << i;
    }
    use(keys, "0", &kept);
    EXPECT_FALSE(kept) << "its slot was given away";
}

TEST(KeptKeys, GivesTheLeastRecentlyUsedAway) {
    KeptKeys keys;
    for (uint32_t i = 0; i < KeptKeys::slots_max; ++i) use(keys, std::to_string(i));
    const uint32_t first = use(keys, "0");
    const uint32_t second = keys.find("1").slot;  // a look is a use
    const uint32_t third = use(keys, "one more");
    EXPECT_NE(third, first);
    EXPECT_NE(third, second);
    bool kept = true;
    use(keys, "2", &kept);
    EXPECT_FALSE(kept);
    EXPECT_EQ(use(keys, "one more", &kept), third);
    EXPECT_TRUE(kept);
}

}  // namespace chiphost::isolate
