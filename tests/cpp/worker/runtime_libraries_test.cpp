// SPDX-License-Identifier: Apache-2.0
//
// The files of runtimes as workers load them.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "test_worker.h"

namespace chiphost::worker {

using namespace tests;

TEST(RuntimeLibraries, AreForOnePlatform) {
    ChipWorker::Options options = options_for("a5sim");
    options.platform = "a2a3sim";
    TestWorker worker(nullptr);
    EXPECT_NE(worker.try_initialize(options).find("wanted tag " CH_HOST_TAG "/a2a3sim, found " CH_HOST_TAG "/a5sim"),
              std::string::npos);
}

TEST(RuntimeLibraries, AreCheckedBeforeTheyAreLoaded) {
    const std::string folder = testing::TempDir() + "chiphost_" + std::to_string(getpid());
    std::filesystem::create_directory(folder);
    const std::vector<char> good = tests::bytes_of(options_for().files.host);
    const auto write = [&](const char* name, std::vector<char> bytes) {
        std::ofstream(folder + "/" + name, std::ios::binary)
            .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        return folder + "/" + name;
    };
    TestWorker worker(nullptr);
    for (std::string RuntimeFiles::* program : {&RuntimeFiles::host, &RuntimeFiles::aicpu, &RuntimeFiles::aicore}) {
        ChipWorker::Options options = options_for();
        options.files.*program = folder + "/missing.so";
        EXPECT_EQ(worker.try_initialize(options).find("FILE_UNREADABLE: " + folder), 0u);
        options.files.*program = write("text.so", std::vector<char>(5000, 'x'));
        EXPECT_EQ(worker.try_initialize(options).find("NOT_ELF: " + folder), 0u);
        options.files.*program = write("short.so", std::vector<char>(good.begin(), good.begin() + 3000));
        EXPECT_EQ(worker.try_initialize(options).find("FILE_TRUNCATED: " + folder), 0u);
    }
    // The wrong program in the wrong place.
    ChipWorker::Options options = options_for();
    options.files.aicpu = options.files.aicore;
    EXPECT_EQ(worker.try_initialize(options).find("ENTRY_MISSING: " + options.files.aicore), 0u);
    EXPECT_EQ(worker.try_initialize(options_for()), "ok");
    EXPECT_EQ(run_chain(worker), "ok");
    std::filesystem::remove_all(folder);
}

// A file that was rebuilt in place is another library: the next worker gets it, the old one goes on.
TEST(RuntimeLibraries, FollowARebuiltFile) {
    const std::string folder = testing::TempDir() + "chiphost_rebuilt_" + std::to_string(getpid());
    std::filesystem::create_directory(folder);
    ChipWorker::Options options = options_for();
    const std::string real = options.files.host;
    options.files.host = folder + "/host.so";
    const auto replace = [&](const std::string& with) {
        std::filesystem::copy_file(with, folder + "/new.so", std::filesystem::copy_options::overwrite_existing);
        std::filesystem::rename(folder + "/new.so", options.files.host);
    };
    replace(library_path("fake_good"));
    TestWorker old(options);
    replace(real);
    TestWorker fresh(options);
    EXPECT_NE(old.library(), fresh.library());
    EXPECT_EQ(run_chain(fresh), "ok");
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(1);
    EXPECT_EQ(old.try_run(callable, table.args()), "ok");
    EXPECT_EQ(old.result.task_count, 42u) << "the old worker must keep the old file";
    std::filesystem::remove_all(folder);
}

}  // namespace chiphost::worker
