// SPDX-License-Identifier: Apache-2.0
#include "worker/runtime_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "temp_folder.h"
#include "test_files.h"

namespace chiphost::worker {

namespace {

class RuntimeFilesTest : public testing::Test {
protected:
    RuntimeFilesTest() {
        for (const std::string* path : {&files.host, &files.aicpu, &files.aicore}) {
            std::filesystem::copy_file(tests::library_path("counter"), *path);
        }
    }
    ~RuntimeFilesTest() override {
        for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
            std::filesystem::remove_all(entry.path());
        }
    }
    static void write(const std::string& path, const std::string& text) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    }
    // The key, or the words of the error.
    std::string key() {
        std::string key = "the key before";
        return runtime_key(files, &key, &error).ok() ? key : tests::text_of(error);
    }
    // "accepted", or the words of the error.
    std::string checked() {
        return check_files(files, &unique_symbol, &error).ok() ? "accepted" : tests::text_of(error);
    }

    tests::TempFolder folder;
    RuntimeFiles files{folder.path() + "/host.so", folder.path() + "/aicpu.so", folder.path() + "/aicore.so"};
    std::string unique_symbol = "of another";
    ch_error error = no_error();
};

}  // namespace

TEST_F(RuntimeFilesTest, HaveAnotherKeyWhenOneWasWrittenAgain) {
    for (const std::string* path : {&files.host, &files.aicpu, &files.aicore}) {
        const std::string before = key();
        EXPECT_EQ(key(), before);
        // The size is as before, and the second may be.
        timespec times[2] = {{0, UTIME_OMIT}, {1'000'000'000, 1}};
        ASSERT_EQ(utimensat(AT_FDCWD, path->c_str(), times, 0), 0);
        const std::string then = key();
        EXPECT_NE(then, before) << *path;
        times[1].tv_nsec = 2;
        ASSERT_EQ(utimensat(AT_FDCWD, path->c_str(), times, 0), 0);
        EXPECT_NE(key(), then) << *path;
        const std::string of_one_size = key();
        write(*path, "text");
        ASSERT_EQ(utimensat(AT_FDCWD, path->c_str(), times, 0), 0);
        EXPECT_NE(key(), of_one_size) << *path;
    }
}

TEST_F(RuntimeFilesTest, HaveAKeyForEachOrder) {
    const std::string before = key();
    std::swap(files.aicpu, files.aicore);
    EXPECT_NE(key(), before);
}

TEST_F(RuntimeFilesTest, MayMissDeviceProgramsOfOtherProcessors) {
    std::filesystem::remove(files.aicore);
    EXPECT_EQ(key(), "FILE_UNREADABLE: " + files.aicore + ": cannot open: No such file or directory");
    files.cross_compiled = true;
    const std::string without = key();
    EXPECT_EQ(without.substr(without.rfind('|') + 1), files.aicore);
    write(files.aicore, "text");
    EXPECT_NE(key(), without) << "it is there now";
    std::filesystem::remove(files.host);
    EXPECT_EQ(key(), "FILE_UNREADABLE: " + files.host + ": cannot open: No such file or directory");
}

TEST_F(RuntimeFilesTest, AreAcceptedIfTheyAreLibraries) {
    EXPECT_EQ(checked(), "accepted");
    EXPECT_EQ(unique_symbol, "");
    for (const std::string* path : {&files.aicore, &files.aicpu, &files.host}) {
        write(*path, "text");
        EXPECT_EQ(checked().find("NOT_ELF: " + *path), 0u) << checked();
        std::filesystem::copy_file(tests::library_path("counter"), *path,
                                   std::filesystem::copy_options::overwrite_existing);
    }
}

TEST_F(RuntimeFilesTest, MayBeProgramsOfOtherProcessors) {
    files.cross_compiled = true;
    write(files.aicore, "text");
    std::filesystem::remove(files.aicpu);
    EXPECT_EQ(checked(), "accepted");
    write(files.host, "text");
    EXPECT_EQ(checked().find("NOT_ELF: " + files.host), 0u) << checked();
}

#if defined(__GNUC__) && !defined(__clang__)
TEST_F(RuntimeFilesTest, TellTheUniqueSymbolOfTheHostProgram) {
    const auto replace = [](const std::string& path) {
        std::filesystem::copy_file(tests::library_path("unique_symbols"), path,
                                   std::filesystem::copy_options::overwrite_existing);
    };
    replace(files.aicpu);
    EXPECT_EQ(checked(), "accepted");
    EXPECT_EQ(unique_symbol, "") << "that of a device program does not count";
    replace(files.host);
    EXPECT_EQ(checked(), "accepted");
    EXPECT_NE(unique_symbol, "");
}
#endif

}  // namespace chiphost::worker
