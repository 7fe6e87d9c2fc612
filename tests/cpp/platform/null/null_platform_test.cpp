// SPDX-License-Identifier: Apache-2.0
//
// A runtime on the platform that has nothing.
#include <gtest/gtest.h>

#include "test_worker.h"

namespace chiphost::tests {

namespace {

TEST(NullPlatform, SaysWhatIsMissing) {
    TestWorker worker(nullptr);
    const std::string answer = worker.try_initialize(options_for("a2a3null"));
    EXPECT_EQ(answer, "UNIMPLEMENTED: open_device: the platform does not have this function");
    EXPECT_EQ(worker.error.code, CH_UNIMPLEMENTED);
    EXPECT_FALSE(worker.initialized());
    EXPECT_EQ(worker.try_initialize(options_for("a2a3sim")), "ok");
}

}  // namespace

}  // namespace chiphost::tests
