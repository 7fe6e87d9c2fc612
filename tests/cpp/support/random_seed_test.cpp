// SPDX-License-Identifier: Apache-2.0
#include "random_seed.h"

#include <gtest/gtest-spi.h>

namespace chiphost::tests {

TEST(RandomSeed, ComesFromTheEnvironment) {
    setenv("CHIPHOST_TEST_SEED", "4294967295", 1);
    EXPECT_EQ(RandomSeed().value(), UINT32_MAX);
    setenv("CHIPHOST_TEST_SEED", "7", 1);
    EXPECT_EQ(RandomSeed().value(), 7u);
    for (const char* wrong : {"seven", "7a", "4294967296", "-1"}) {
        setenv("CHIPHOST_TEST_SEED", wrong, 1);
        EXPECT_NONFATAL_FAILURE(RandomSeed(), "wanted a number from 0 to 4294967295, found");
    }
}

TEST(RandomSeed, IsAnotherOneEachTimeWithoutIt) {
    unsetenv("CHIPHOST_TEST_SEED");
    const uint32_t first = RandomSeed().value();
    bool differs = false;
    for (int i = 0; i < 10; ++i) differs = differs || RandomSeed().value() != first;
    EXPECT_TRUE(differs);
}

// The words that a failing test shows lead to the same numbers.
TEST(RandomSeed, SaysHowToRepeatAFailure) {
    setenv("CHIPHOST_TEST_SEED", "99", 1);
    const auto fail = [] {
        const RandomSeed seed;
        ADD_FAILURE() << "on purpose";
    };
    EXPECT_NONFATAL_FAILURE(fail(),
                            "CHIPHOST_TEST_SEED=99 ctest --preset <preset> -R "
                            "'RandomSeed\\.SaysHowToRepeatAFailure'");
}

}  // namespace chiphost::tests
