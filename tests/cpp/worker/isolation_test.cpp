// SPDX-License-Identifier: Apache-2.0
//
// Namespaces and private copies of runtimes: which of them a worker gets. A sanitizer rules namespaces out.
#include <unistd.h>

#include <filesystem>

#include "test_worker.h"

namespace chiphost::worker {

using namespace tests;

#if !CHIPHOST_SANITIZED
TEST(Isolation, PrefersANamespaceToACopyThatIsLoaded) {
    ChipWorker::Options options = options_for();
    options.isolation = {isolate::Strategy::copy, false};
    TestWorker copy(options);
    options.isolation = {isolate::Strategy::link_namespace, true};
    TestWorker worker(options);
    EXPECT_EQ(worker.library()->domain().strategy(), isolate::Strategy::link_namespace);
    EXPECT_FALSE(worker.fell_back());
}

TEST(Isolation, FallsBackToACopyIfAllowed) {
    const std::string folder = testing::TempDir() + "chiphost_fall_back_" + std::to_string(getpid());
    std::filesystem::create_directory(folder);
    std::vector<std::unique_ptr<TestWorker>> workers;
    ChipWorker::Options options = options_for();
    const std::string real = options.files.host;
    std::string answer = "ok";
    for (int i = 0; answer == "ok" && i < 20; ++i) {
        options.files.host = folder + "/host" + std::to_string(i) + ".so";
        std::filesystem::copy_file(real, options.files.host);
        workers.push_back(std::make_unique<TestWorker>(nullptr));
        answer = workers.back()->try_initialize(options);
    }
    EXPECT_EQ(answer.find("NAMESPACES_SPENT: dlmopen: "), 0u) << answer;
    options.isolation.fall_back_if_spent = true;
    TestWorker copy(options);
    EXPECT_TRUE(copy.fell_back());
    EXPECT_EQ(copy.library()->domain().strategy(), isolate::Strategy::copy);
    EXPECT_EQ(run_chain(copy), "ok");
    options.isolation = {isolate::Strategy::copy, false};
    TestWorker wanted(options);
    EXPECT_EQ(wanted.library(), copy.library());
    EXPECT_FALSE(wanted.fell_back()) << "this one asked for a copy";
    workers.pop_back();
    for (auto& worker : workers) EXPECT_EQ(run_chain(*worker), "ok");
    std::filesystem::remove_all(folder);
}
#endif

}  // namespace chiphost::worker
