// SPDX-License-Identifier: Apache-2.0
#include "status/guarded.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

#include "test_files.h"

namespace chiphost {

namespace {

// The text of the error that becomes of an exception.
template <typename Thrown>
std::string caught(const Thrown& thrown) {
    ch_error error = no_error();
    const Status status = guarded("here", &error, [&]() -> Status { throw thrown; });
    EXPECT_EQ(status, error.code);
    EXPECT_EQ(guarded("here", nullptr, [&]() -> Status { throw thrown; }), status.code()) << "without a record";
    return tests::text_of(error);
}

}  // namespace

TEST(Guarded, ReturnsWhatTheBodyReturns) {
    ch_error error = no_error();
    EXPECT_EQ(guarded("here", &error, []() -> Status { return CH_OK; }), CH_OK);
    const auto fail = [&]() -> Status { return report(&error, CH_STALLED, "there", "its own words"); };
    EXPECT_EQ(guarded("here", &error, fail), CH_STALLED);
    EXPECT_EQ(tests::text_of(error), "STALLED: there: its own words");
}

TEST(Guarded, MakesAnErrorOfEveryException) {
    EXPECT_EQ(caught(std::bad_alloc()), "HOST_MEMORY_EXHAUSTED: here: out of memory");
    EXPECT_EQ(caught(std::bad_array_new_length()), "HOST_MEMORY_EXHAUSTED: here: out of memory");
    EXPECT_EQ(caught(std::runtime_error("it fell")), "INTERNAL: here: it fell");
    EXPECT_EQ(caught(std::runtime_error("100 %s")), "INTERNAL: here: 100 %s") << "the words are no format";
    EXPECT_EQ(caught(5), "INTERNAL: here: an exception that is no std::exception");
}

TEST(Guarded, TakesABodyThatCannotBeCopied) {
    auto body = [owned = std::make_unique<int>(3)]() -> Status { return *owned == 3 ? CH_OK : CH_INTERNAL; };
    EXPECT_EQ(guarded("here", nullptr, std::move(body)), CH_OK);
}

}  // namespace chiphost
