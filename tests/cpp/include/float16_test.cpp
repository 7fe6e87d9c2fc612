// SPDX-License-Identifier: Apache-2.0
//
// The software conversions of float16 against the compiler's own type, if it has one.
// tests/python/graphs/test_float16.py compares both with NumPy.
#include <gtest/gtest.h>
#include <string.h>

#include <cmath>
#include <random>

#include "chiphost/float16.h"
#include "random_seed.h"

namespace chiphost {

namespace {

using SoftwareHalf = float16_detail::Software<float16_detail::HalfFormat>;

template <typename To, typename From>
To bits(From value) {
    static_assert(sizeof(To) == sizeof(From), "same size");
    To result;
    memcpy(static_cast<void*>(&result), &value, sizeof result);
    return result;
}

bool is_nan(uint16_t half) {
    return (half & 0x7C00) == 0x7C00 && (half & 0x3FF) != 0;
}

void expect_same_rounding(float value) {
    const auto wanted = bits<uint16_t>(static_cast<float16>(value));
    const auto found = bits<uint16_t>(SoftwareHalf(value));
    if (is_nan(wanted)) {
        EXPECT_TRUE(is_nan(found)) << value;
    } else {
        ASSERT_EQ(found, wanted) << value;
    }
}

}  // namespace

TEST(Float16, WidensEveryValue) {
    for (uint32_t half = 0; half <= UINT16_MAX; ++half) {
        const auto wanted = static_cast<float>(bits<float16>(static_cast<uint16_t>(half)));
        const float found = bits<SoftwareHalf>(static_cast<uint16_t>(half));
        if (std::isnan(wanted)) {
            EXPECT_TRUE(std::isnan(found));
        } else {
            ASSERT_EQ(bits<uint32_t>(found), bits<uint32_t>(wanted)) << half;
        }
    }
}

TEST(Float16, RoundsToNearestEven) {
    // Every half value, the number midway to the next, and their neighbours among floats.
    for (uint32_t half = 0; half < 0x7C00; ++half) {
        const auto low = static_cast<float>(bits<float16>(static_cast<uint16_t>(half)));
        const auto high =
            half + 1 == 0x7C00 ? 65536.0f : static_cast<float>(bits<float16>(static_cast<uint16_t>(half + 1)));
        const float middle = (low + high) / 2;
        for (float value : {low, middle, std::nextafter(middle, 0.0f), std::nextafter(middle, INFINITY)}) {
            expect_same_rounding(value);
            expect_same_rounding(-value);
        }
    }
    for (float value : {INFINITY, -INFINITY, NAN, 1e30f, -1e30f, 1e-30f, 65519.99f, 65520.0f}) {
        expect_same_rounding(value);
    }
}

TEST(Float16, RoundsRandomFloats) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    for (int i = 0; i < 1'000'000; ++i) expect_same_rounding(bits<float>(static_cast<uint32_t>(random())));
}

}  // namespace chiphost
