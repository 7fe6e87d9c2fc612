// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

namespace chiphost::tests {

// The loader reads its tunables at the start of a process. Starts the current test again with these, unless it has.
inline void start_with(const std::string& tunables) {
    const char* set = getenv("GLIBC_TUNABLES");
    if (tunables == (set ? set : "")) return;
    setenv("GLIBC_TUNABLES", tunables.c_str(), 1);
    if (tunables.empty()) unsetenv("GLIBC_TUNABLES");
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    const std::string filter = std::string("--gtest_filter=") + test->test_suite_name() + "." + test->name();
    execl("/proc/self/exe", "test", filter.c_str(), nullptr);
    FAIL() << "cannot start again";
}

}  // namespace chiphost::tests
