// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <errno.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <random>
#include <string>

namespace chiphost::tests {

// The seed of a random test: CHIPHOST_TEST_SEED if that is set, otherwise a new one. A test that fails while this
// object lives says how to repeat it. Use it on the test's own thread.
class RandomSeed {
public:
    explicit RandomSeed(const char* file = __builtin_FILE(), int line = __builtin_LINE())
        : value_(choose()), trace_(file, line, how_to_repeat(value_)) {}

    uint32_t value() const { return value_; }
    static std::string how_to_repeat(uint32_t seed) {
        const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
        return "seed " + std::to_string(seed) + "; to repeat it: CHIPHOST_TEST_SEED=" + std::to_string(seed) +
               " ctest --preset <preset> -R '" + test.test_suite_name() + "\\." + test.name() + "'";
    }

private:
    static uint32_t choose() {
        const char* given = getenv("CHIPHOST_TEST_SEED");
        if (!given || !*given) return std::random_device{}();
        char* end = nullptr;
        errno = 0;
        const unsigned long value = strtoul(given, &end, 10);
        EXPECT_TRUE(*end == '\0' && errno == 0 && value <= UINT32_MAX)
            << "CHIPHOST_TEST_SEED: wanted a number from 0 to " << UINT32_MAX << ", found " << given;
        return static_cast<uint32_t>(value);
    }

    const uint32_t value_;
    const testing::ScopedTrace trace_;
};

}  // namespace chiphost::tests
