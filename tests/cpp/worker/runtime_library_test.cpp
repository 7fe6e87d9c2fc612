// SPDX-License-Identifier: Apache-2.0
//
// Runtimes that come and go: files that are built again and again, and more runtimes than namespaces. Every test runs
// in a process of its own.
#include "worker/runtime_library.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "isolate/domain/namespace_budget.h"
#include "isolate/domain/namespace_pool.h"
#include "test_files.h"
#include "worker/chip_worker.h"

namespace chiphost::worker {

using isolate::NamespaceBudget;
using isolate::NamespacePool;
using isolate::Strategy;
using tests::library_path;
using tests::text_of;

namespace {

// A worker on a fake runtime, with shorthands that fail the test.
class FakeWorker : public ChipWorker {
public:
    FakeWorker() = default;
    explicit FakeWorker(const Options& options) { EXPECT_EQ(open(options), "ok"); }

    std::string open(const Options& options) {
        ch_error error = no_error();
        return initialize(options, &error) == CH_OK ? "ok" : text_of(error);
    }
    // The number of runs of the loaded library by now.
    uint64_t count_run() {
        ch_callable callable{};
        ch_task_args args{};
        ch_call_config config{sizeof(ch_call_config)};
        ch_run_result result{};
        RunEnd end = RunEnd::returned;
        ch_error error = no_error();
        EXPECT_EQ(run(callable, args, config, {}, &result, nullptr, &end, &error), CH_OK) << text_of(error);
        return result.orchestration_ns;
    }
    void close() {
        ch_error error = no_error();
        EXPECT_EQ(reset(&error), CH_OK) << text_of(error);
    }
};

class RuntimeLibraries : public testing::Test {
protected:
    RuntimeLibraries() { std::filesystem::create_directory(folder_); }
    ~RuntimeLibraries() override { std::filesystem::remove_all(folder_); }

    // Writes a runtime with files of its own. If it is written under its name once more, it is another variant.
    ChipWorker::Options write(const std::string& name, const std::string& fake = "fake_good",
                              Strategy strategy = Strategy::link_namespace) {
        const std::string host = folder_ + "/" + name + ".so";
        std::filesystem::copy_file(library_path(fake), folder_ + "/new",
                                   std::filesystem::copy_options::overwrite_existing);
        // The clock of a file system is coarse; two variants in one tick have the same time.
        const auto time = std::filesystem::file_time_type::clock::now() + std::chrono::seconds(++variants_);
        std::filesystem::last_write_time(folder_ + "/new", time);
        std::filesystem::rename(folder_ + "/new", host);
        ChipWorker::Options options;
        options.files = {host, library_path("counter"), library_path("stateless")};
        options.anchor_path = CHIPHOST_ANCHOR;
        options.isolation.strategy = strategy;
        return options;
    }

private:
    const std::string folder_ = testing::TempDir() + "chiphost_libraries_" + std::to_string(getpid());
    int variants_ = 0;
};

}  // namespace

TEST_F(RuntimeLibraries, CopiesThatWereRebuiltDoNotPileUp) {
    FakeWorker worker;
    size_t maps = 0;
    for (int variant = 0; variant < 100; ++variant) {
        ASSERT_EQ(worker.open(write("host", "fake_good", Strategy::copy)), "ok");
        EXPECT_EQ(worker.count_run(), 1u) << "the statics of an earlier variant";
        worker.close();
        EXPECT_EQ(RuntimeLibrary::counts().copies, 1u);
        if (variant == 10) maps = tests::mappings_of("");
    }
    EXPECT_LE(tests::mappings_of(""), maps + 4);
}

TEST_F(RuntimeLibraries, KeepACopyThatWasRebuiltForItsUsers) {
    FakeWorker old(write("host", "fake_good", Strategy::copy));
    EXPECT_EQ(old.count_run(), 1u);
    FakeWorker fresh(write("host", "fake_good", Strategy::copy));
    EXPECT_EQ(fresh.count_run(), 1u);
    EXPECT_EQ(old.count_run(), 2u);
    EXPECT_EQ(RuntimeLibrary::counts().copies, 2u);
    old.close();
    EXPECT_EQ(RuntimeLibrary::counts().copies, 1u) << "the last user of a stale copy takes it along";
    EXPECT_EQ(fresh.count_run(), 2u);
}

// Two states of a file that differ in one thing only are two libraries: time by the nanosecond, and size.
TEST_F(RuntimeLibraries, TellStatesOfAFileApart) {
    const RuntimeFiles files = write("host").files;
    const auto key_at = [&](int64_t second, int64_t nanosecond) {
        const timespec times[2] = {{}, {second, nanosecond}};
        EXPECT_EQ(utimensat(AT_FDCWD, files.host.c_str(), times, 0), 0);
        std::string key;
        ch_error error = no_error();
        EXPECT_EQ(runtime_key(files, &key, &error), CH_OK) << text_of(error);
        return key;
    };
    const std::string key = key_at(1000, 5000);
    EXPECT_EQ(key_at(1000, 5000), key);
    EXPECT_NE(key_at(1000, 6000), key);
    EXPECT_NE(key_at(1001, 5000), key);
    std::filesystem::resize_file(files.host, std::filesystem::file_size(files.host) + 1);
    EXPECT_NE(key_at(1000, 5000), key);
    RuntimeFiles others = files;
    std::swap(others.aicpu, others.aicore);
    std::string other_key;
    ch_error error = no_error();
    ASSERT_EQ(runtime_key(others, &other_key, &error), CH_OK);
    EXPECT_NE(other_key, key_at(1000, 5000));
}

// A worker that was refused is no user.
TEST_F(RuntimeLibraries, CountNobodyWhoWasRefused) {
    constexpr Strategy strategy = CHIPHOST_SANITIZED ? Strategy::copy : Strategy::link_namespace;
    ChipWorker::Options options = write("host", "fake_good", strategy);
    FakeWorker worker(options);
    const RuntimeLibrary::Counts before = RuntimeLibrary::counts();
    options.platform = "a5sim";
    for (int i = 0; i < 3; ++i) {
        FakeWorker refused;
        EXPECT_NE(refused.open(options), "ok");
    }
    EXPECT_EQ(RuntimeLibrary::counts().namespaces_used, before.namespaces_used);
    worker.close();
    EXPECT_EQ(RuntimeLibrary::counts().namespaces_used, 0u);
    options.platform.clear();
    const ChipWorker::Options rebuilt = write("host", "fake_good", strategy);
    FakeWorker fresh(rebuilt);
    EXPECT_EQ(fresh.count_run(), 1u);
    EXPECT_EQ(RuntimeLibrary::counts().namespaces_idle, 0u) << "the stale one has gone";
    EXPECT_EQ(RuntimeLibrary::counts().copies, CHIPHOST_SANITIZED ? 1u : 0u);
}

#if !CHIPHOST_SANITIZED
// The next library would find what stays loaded: nobody can have the namespace any more.
TEST_F(RuntimeLibraries, LoseTheNamespaceOfOneThatLeavesALibrary) {
    {
        FakeWorker worker(write("host", "fake_leaves_library"));
        worker.count_run();
    }
    FakeWorker next(write("host"));
    EXPECT_EQ(next.count_run(), 1u);
    const RuntimeLibrary::Counts counts = RuntimeLibrary::counts();
    EXPECT_EQ(counts.namespaces_used, 1u);
    EXPECT_EQ(counts.namespaces_pinned, 1u);
    EXPECT_NE(counts.pins.find("host.so: something that it has loaded stays"), std::string::npos) << counts.pins;
    EXPECT_EQ(NamespacePool::of_this_process().spare(), 0u);
    EXPECT_EQ(NamespaceBudget::of_this_process().numbers().opened, 2u);
}
#endif

TEST_F(RuntimeLibraries, AreLoadedOnceForUsersInTurn) {
    const ChipWorker::Options options = write("host", "fake_good", Strategy::copy);
    FakeWorker worker(options);
    EXPECT_EQ(worker.count_run(), 1u);
    worker.close();
    ASSERT_EQ(worker.open(options), "ok");
    EXPECT_EQ(worker.count_run(), 2u) << "it was loaded again";
}

// Workers come and go in several threads while files are rebuilt.
TEST_F(RuntimeLibraries, MayBeLoadedUsedAndRebuiltAtTheSameTime) {
    constexpr Strategy strategy = CHIPHOST_SANITIZED ? Strategy::copy : Strategy::link_namespace;
    std::mutex mutex;  // guards the files
    std::atomic<int> round{0};
    const auto work = [&] {
        while (round++ < 200) {
            FakeWorker worker;
            {
                ChipWorker::Options options;
                {
                    const std::lock_guard lock(mutex);
                    options = write("host" + std::to_string(round % 3), "fake_good", strategy);
                }
                // Another thread may replace the file between its check and its loading; it is whole all the same.
                ASSERT_EQ(worker.open(options), "ok");
            }
            EXPECT_GE(worker.count_run(), 1u);
            EXPECT_TRUE(worker.info()->runtime == "fake");
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) threads.emplace_back(work);
    for (auto& thread : threads) thread.join();
    FakeWorker last;
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(last.open(write("host" + std::to_string(i), "fake_good", strategy)), "ok");
        last.close();
    }
    const RuntimeLibrary::Counts counts = RuntimeLibrary::counts();
    EXPECT_EQ(counts.namespaces_used, 0u);
    EXPECT_EQ(counts.namespaces_pinned, 0u) << counts.pins;
    EXPECT_EQ(counts.namespaces_idle + counts.copies, 3u) << "what is stale and unused must be gone";
}

#if !CHIPHOST_SANITIZED

namespace {

size_t opened() {
    return NamespaceBudget::of_this_process().numbers().opened;
}

}  // namespace

// C7: a namespace goes to the next variant.
TEST_F(RuntimeLibraries, ThatWereRebuiltUseOneNamespace) {
    FakeWorker worker;
    for (int variant = 0; variant < 100; ++variant) {
        ASSERT_EQ(worker.open(write("host")), "ok");
        EXPECT_EQ(worker.count_run(), 1u) << "the statics of an earlier variant";
        worker.close();
    }
    EXPECT_EQ(opened(), 1u);
    const RuntimeLibrary::Counts counts = RuntimeLibrary::counts();
    EXPECT_EQ(counts.namespaces_idle, 1u);
    EXPECT_EQ(counts.namespaces_pinned, 0u) << counts.pins;
}

// The real runtime has two device programs, which stay in the namespace's pool for the next run.
TEST_F(RuntimeLibraries, TakeTheirDeviceProgramsAlong) {
    FakeWorker worker;
    for (int variant = 0; variant < 20; ++variant) {
        const std::string real = std::string(CHIPHOST_LIB) + "/a2a3sim/host_build_graph/";
        ChipWorker::Options options = write("host", "../lib/a2a3sim/host_build_graph/host");
        options.files.aicpu = real + "aicpu.so";
        options.files.aicore = real + "aicore.so";
        ASSERT_EQ(worker.open(options), "ok");
        worker.close();
    }
    EXPECT_EQ(opened(), 1u) << RuntimeLibrary::counts().pins;
}

TEST_F(RuntimeLibraries, KeepTheirNamespaceWhileTheyHaveUsers) {
    FakeWorker old(write("host"));
    EXPECT_EQ(old.count_run(), 1u);
    FakeWorker fresh(write("host"));
    EXPECT_EQ(opened(), 2u);
    EXPECT_EQ(fresh.count_run(), 1u);
    EXPECT_EQ(old.count_run(), 2u);
    old.close();
    EXPECT_EQ(NamespacePool::of_this_process().spare(), 1u);
    FakeWorker next(write("other"));
    EXPECT_EQ(opened(), 2u);
    EXPECT_EQ(next.count_run(), 1u);
    EXPECT_EQ(fresh.count_run(), 2u);
}

// If the same files are opened under the other strategy, they are the same libraries.
TEST_F(RuntimeLibraries, MayBeLoadedBothWays) {
    ChipWorker::Options options = write("host", "fake_good", Strategy::copy);
    FakeWorker copy(options);
    options.isolation.strategy = Strategy::link_namespace;
    FakeWorker apart(options);
    copy.close();
    EXPECT_EQ(RuntimeLibrary::counts().copies, 1u);
    EXPECT_EQ(apart.count_run(), 1u);
    apart.close();
    EXPECT_EQ(RuntimeLibrary::counts().namespaces_idle, 1u);
    FakeWorker fresh(write("host"));
    EXPECT_EQ(RuntimeLibrary::counts().copies, 0u) << "now it is stale";
    EXPECT_EQ(RuntimeLibrary::counts().namespaces_used, 1u);
    EXPECT_EQ(opened(), 1u);
}

// H2: a library that the loader does not let go keeps its namespace, and is counted.
TEST_F(RuntimeLibraries, ThatArePinnedKeepTheirNamespace) {
    FakeWorker worker(write("host", "fake_pins_itself"));
    EXPECT_EQ(worker.count_run(), 1u);
    worker.close();
    ASSERT_EQ(worker.open(write("host", "fake_pins_itself")), "ok");
    EXPECT_EQ(worker.count_run(), 1u) << "the statics of the earlier variant";
    EXPECT_EQ(opened(), 2u);
    const RuntimeLibrary::Counts counts = RuntimeLibrary::counts();
    EXPECT_EQ(counts.namespaces_pinned, 1u);
    EXPECT_EQ(counts.namespaces_used, 1u);
    EXPECT_NE(counts.pins.find("the loader keeps it"), std::string::npos) << counts.pins;
    EXPECT_EQ(NamespacePool::of_this_process().spare(), 0u);
}

// A thread that a runtime has left behind still runs its code.
TEST_F(RuntimeLibraries, ThatLeaveAThreadStay) {
    FakeWorker worker(write("host", "fake_leaks_thread"));
    EXPECT_EQ(worker.count_run(), 1u);
    worker.close();
    ASSERT_EQ(worker.open(write("host")), "ok");
    EXPECT_EQ(worker.count_run(), 1u);
    EXPECT_EQ(opened(), 2u);
    EXPECT_EQ(RuntimeLibrary::counts().namespaces_pinned, 1u);
    EXPECT_NE(RuntimeLibrary::counts().pins.find("a thread"), std::string::npos) << RuntimeLibrary::counts().pins;
}

// More runtimes than namespaces: those that nobody uses give way, first the one that was unused for longest.
TEST_F(RuntimeLibraries, GiveWayWhenNobodyUsesThem) {
    std::vector<ChipWorker::Options> variants;
    for (int i = 0; i < 30; ++i) variants.push_back(write("host" + std::to_string(i)));
    FakeWorker used(variants[0]);
    EXPECT_EQ(used.count_run(), 1u);
    FakeWorker worker;
    for (int i = 1; i < 30; ++i) {
        ASSERT_EQ(worker.open(variants[i]), "ok") << i;
        EXPECT_EQ(worker.count_run(), 1u) << i;
        worker.close();
    }
    EXPECT_EQ(used.count_run(), 2u) << "it had a user";
    ASSERT_EQ(worker.open(variants[29]), "ok");
    EXPECT_EQ(worker.count_run(), 2u) << "used last, it was to stay";
    worker.close();
    ASSERT_EQ(worker.open(variants[1]), "ok");
    EXPECT_EQ(worker.count_run(), 1u) << "it had given way, and is loaded anew";
    worker.close();
    // The latest ten have not given way.
    ASSERT_EQ(worker.open(variants[25]), "ok");
    EXPECT_EQ(worker.count_run(), 2u);
    EXPECT_EQ(RuntimeLibrary::counts().namespaces_used, 2u);
    EXPECT_EQ(RuntimeLibrary::counts().namespaces_idle, opened() - 2);
}

// If all have users, only a copy or an error is left.
TEST_F(RuntimeLibraries, AreSpentWhenAllHaveUsers) {
    std::vector<std::unique_ptr<FakeWorker>> workers;
    std::string answer = "ok";
    for (int i = 0; i < 20 && answer == "ok"; ++i) {
        workers.push_back(std::make_unique<FakeWorker>());
        answer = workers.back()->open(write("host" + std::to_string(i)));
    }
    EXPECT_EQ(answer.find("NAMESPACES_SPENT: "), 0u) << answer;
    EXPECT_NE(answer.find("--more-namespaces"), std::string::npos) << answer;
    ChipWorker::Options options = write("copied");
    options.isolation.fall_back_if_spent = true;
    FakeWorker copy(options);
    EXPECT_TRUE(copy.fell_back());
    workers.front()->close();
    options = write("after");
    options.isolation.fall_back_if_spent = true;
    FakeWorker after(options);
    EXPECT_FALSE(after.fell_back()) << "one has lost its user";
}

// The idle one's symbols are unique (H1): a copy would not be apart from others, so it gets none.
TEST_F(RuntimeLibraries, WithUniqueSymbolsGetNoCopy) {
    std::vector<std::unique_ptr<FakeWorker>> workers;
    std::string answer = "ok";
    for (int i = 0; i < 20 && answer == "ok"; ++i) {
        workers.push_back(std::make_unique<FakeWorker>());
        answer = workers.back()->open(write("host" + std::to_string(i)));
    }
    ChipWorker::Options options = write("unique", "unique_symbols");
    options.isolation.fall_back_if_spent = true;
    answer = FakeWorker().open(options);
    EXPECT_EQ(answer.find("NAMESPACES_SPENT: "), 0u) << answer;
    EXPECT_NE(answer.find("STB_GNU_UNIQUE"), std::string::npos) << answer;
    // A process of its own has room for it. This program is no runtime, which is found when it has been loaded.
    options.child_path = CHIPHOST_CHILD;
    answer = FakeWorker().open(options);
    EXPECT_EQ(answer.find("ENTRY_MISSING: "), 0u) << answer;
}

// There is a namespace, and the loader refuses the library: its own static TLS does not fit any more.
TEST_F(RuntimeLibraries, WithoutRoomForTheirStaticTlsGetAProcess) {
    std::vector<std::unique_ptr<FakeWorker>> workers;
    std::string answer = "ok";
    for (int i = 0; i < 20 && answer == "ok"; ++i) {
        workers.push_back(std::make_unique<FakeWorker>());
        answer = workers.back()->open(write("host" + std::to_string(i), "fake_static_tls"));
    }
    EXPECT_EQ(answer.find("STATIC_TLS_SPENT: "), 0u) << answer;
    EXPECT_GT(workers.size(), 1u) << "some fit";
    ChipWorker::Options options = write("another", "fake_static_tls");
    options.isolation.fall_back_if_spent = true;
    do {
        workers.push_back(std::make_unique<FakeWorker>());
        answer = workers.back()->open(options);
        options = write("another" + std::to_string(workers.size()), "fake_static_tls");
        options.isolation.fall_back_if_spent = true;
    } while (answer == "ok" && workers.size() < 20);
    EXPECT_EQ(answer.find("STATIC_TLS_SPENT: "), 0u) << "a copy takes as much: " << answer;
    options.child_path = CHIPHOST_CHILD;
    FakeWorker child(options);
    EXPECT_TRUE(child.fell_back());
    EXPECT_EQ(FakeWorker().open(write("small")), "ok") << "the namespace that refused it was not lost";
}

#endif

}  // namespace chiphost::worker
