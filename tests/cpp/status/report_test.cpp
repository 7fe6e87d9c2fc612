// SPDX-License-Identifier: Apache-2.0
#include "status/report.h"

#include <gtest/gtest.h>
#include <string.h>

#include <string>

namespace chiphost {

TEST(Report, FillsTheWholeRecord) {
    ch_error error;
    memset(&error, 'x', sizeof error);
    EXPECT_EQ(report(&error, CH_STALLED, "a place", "%d of %s", 3, "four"), CH_STALLED);
    EXPECT_EQ(error.code, CH_STALLED);
    EXPECT_EQ(error.detail_code, 0);
    EXPECT_EQ(error.task, -1);
    EXPECT_EQ(error.core, -1);
    EXPECT_EQ(error.func_id, -1);
    EXPECT_STREQ(error.where, "a place");
    EXPECT_STREQ(error.message, "3 of four");
}

TEST(Report, AddsTextAsFarAsThereIsRoom) {
    ch_error error;
    report(&error, CH_STALLED, "device", "begin");
    append(&error, "; %s", "more");
    EXPECT_STREQ(error.message, "begin; more");
    const std::string longer(1000, 'x');
    for (int i = 0; i < 3; ++i) append(&error, "%s", longer.c_str());
    EXPECT_EQ(strlen(error.message), sizeof error.message - 1);
    EXPECT_EQ(strncmp(error.message, "begin; morexxx", 14), 0);
    append(&error, "%s", "nothing of this");
    EXPECT_EQ(error.message[sizeof error.message - 2], 'x');
}

TEST(Report, EndsTheTextsOfAnotherProgramsRecord) {
    ch_error theirs;
    memset(&theirs, 'x', sizeof theirs);
    theirs.code = CH_STALLED;
    theirs.task = 7;
    ch_error error = no_error();
    EXPECT_EQ(copy_record(theirs, &error), CH_STALLED);
    EXPECT_EQ(error.task, 7);
    EXPECT_EQ(strnlen(error.where, sizeof error.where), sizeof error.where - 1);
    EXPECT_EQ(strnlen(error.message, sizeof error.message), sizeof error.message - 1);
}

}  // namespace chiphost
