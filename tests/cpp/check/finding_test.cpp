// SPDX-License-Identifier: Apache-2.0
#include "check/finding.h"

#include <gtest/gtest.h>

namespace chiphost::check {

namespace {

// A race between two kernels; `place` sets it apart from others of the same cause.
Finding race(int32_t kernel, int64_t place) {
    Finding finding;
    finding.check = races;
    finding.what = "read_after_write";
    finding.has_second = true;
    finding.first.func_id = kernel;
    finding.begin = 100 * place;
    finding.end = finding.begin + 1;
    return finding;
}

}  // namespace

TEST(Findings, ThoseKeptApartLeaveRoomForOtherCauses) {
    constexpr int32_t causes = 100;
    Findings findings;
    for (int32_t kernel = 0; kernel < causes; ++kernel) {
        for (int64_t place = 0; place < 20; ++place) findings.add_apart(race(kernel, place));
    }
    findings.merge();
    ASSERT_EQ(findings.all().size(), static_cast<size_t>(causes));
    for (const Finding& each : findings.all()) EXPECT_EQ(each.count, 20u);
    EXPECT_EQ(findings.dropped(), 0u);
}

TEST(Findings, ACodeThatHasBecomeKnownMakesTwoCausesOfOne) {
    Findings findings;
    for (int64_t place = 0; place < 4; ++place) findings.add_apart(race(0, place));
    for (size_t i = 0; i < 4; ++i) findings.all()[i].first.code = {i % 2};
    findings.merge();
    ASSERT_EQ(findings.all().size(), 2u);
    for (const Finding& each : findings.all()) EXPECT_EQ(each.count, 2u);
}

TEST(Findings, BeyondTheMostTheyAreCounted) {
    Findings findings;
    for (uint32_t kernel = 0; kernel < Findings::kept_max + 3; ++kernel) {
        findings.add_apart(race(static_cast<int32_t>(kernel), 0));
    }
    findings.merge();
    EXPECT_EQ(findings.all().size(), Findings::kept_max);
    EXPECT_EQ(findings.dropped(), 3u);
}

}  // namespace chiphost::check
