// SPDX-License-Identifier: Apache-2.0
//
// The names of the strategies.
#include "chiphost/isolate/strategy.h"

#include <gtest/gtest.h>

namespace chiphost::isolate {

namespace {

TEST(Strategy, HasAName) {
    for (const Strategy strategy : strategies) EXPECT_EQ(find_strategy(strategy_name(strategy)), strategy);
    EXPECT_EQ(find_strategy("copy"), Strategy::copy);
}

TEST(Strategy, NoOtherWordIsTheNameOfOne) {
    for (const char* word : {"", "cpoy", "Copy", "copy ", "auto", "?"}) EXPECT_FALSE(find_strategy(word)) << word;
}

}  // namespace

}  // namespace chiphost::isolate
