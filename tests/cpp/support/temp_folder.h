// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace chiphost::tests {

// A TMPDIR of a test's own, which must be empty at its end.
class TempFolder {
public:
    TempFolder() {
        const char* variable = getenv("TMPDIR");
        before_ = variable ? variable : "";
        path_ = testing::TempDir() + "/chiphost_test_XXXXXX";
        EXPECT_NE(mkdtemp(path_.data()), nullptr);
        setenv("TMPDIR", path_.c_str(), 1);
    }
    ~TempFolder() {
        before_.empty() ? unsetenv("TMPDIR") : setenv("TMPDIR", before_.c_str(), 1);
        EXPECT_TRUE(empty()) << "a temporary file or folder was left";
        std::filesystem::remove_all(path_);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    const std::string& path() const { return path_; }
    bool empty() const { return std::filesystem::is_empty(path_); }

private:
    std::string before_;
    std::string path_;
};

}  // namespace chiphost::tests
