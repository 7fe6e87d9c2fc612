// SPDX-License-Identifier: Apache-2.0
//
// Workers where the system's limits are reached, and where files change while they are loaded: an error that says what
// happened, and a worker that works afterwards.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <random>
#include <thread>

#include "isolate/child/child_pool.h"
#include "random_seed.h"
#include "temp_folder.h"
#include "troubled_worker.h"

namespace chiphost::worker {

using namespace tests;
using isolate::Strategy;

namespace {

// A limit of this process that holds as long as this object lives.
class Limit {
public:
    Limit(__rlimit_resource resource, uint64_t value) : resource_(resource) {
        EXPECT_EQ(getrlimit(resource_, &before_), 0);
        const rlimit limit{std::min<rlim_t>(value, before_.rlim_max), before_.rlim_max};
        EXPECT_EQ(setrlimit(resource_, &limit), 0);
    }
    ~Limit() { setrlimit(resource_, &before_); }
    Limit(const Limit&) = delete;
    Limit& operator=(const Limit&) = delete;

private:
    const __rlimit_resource resource_;
    rlimit before_{};
};

[[maybe_unused]] uint64_t mapped_bytes() {  // sanitizer builds do without
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t lowest_free_descriptor() {
    const int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(lowest);
    return static_cast<uint64_t>(lowest);
}

class ExhaustedResources : public testing::TestWithParam<Strategy> {
protected:
    ExhaustedResources() : folder_("host_build_graph"), work_("host_build_graph") {
        folder_.options.isolation.strategy = GetParam();
    }

    ~ExhaustedResources() override { isolate::ChildPool::of_this_process().end_idle(); }

    // Opens, runs and resets once. Returns CH_OK, or the first error.
    int32_t use() {
        int32_t codes[3];
        ch_error errors[3] = {no_error(), no_error(), no_error()};
        ChipWorker worker;
        codes[0] = worker.initialize(folder_.options, &errors[0]);
        codes[1] = codes[0] == CH_OK ? work_.run(worker, 2, &errors[1]) : CH_OK;
        if (codes[0] == CH_OK && codes[1] == CH_OK) work_.verify();
        codes[2] = worker.reset(&errors[2]);
        worker.finalize();
        const char* const calls[] = {"initialize", "run", "reset"};
        int32_t first = CH_OK;
        for (size_t i = 0; i < std::size(calls); ++i) {
            if (codes[i] == CH_OK) continue;
            expect_explained(calls[i], codes[i], errors[i]);
            EXPECT_NE(codes[i], CH_INTERNAL) << calls[i] << ": " << text_of(errors[i]);
            if (first == CH_OK) first = codes[i];
        }
        return first;
    }

    void expect_it_works() {
        for (int round = 0; round < 2; ++round) {
            folder_.rebuild();
            EXPECT_EQ(use(), CH_OK);
        }
    }

    // Raises a limit step by step, and begins anew each time, until it is high enough. Returns the number of failures.
    template <typename LimitOf>
    int rounds_until_enough(__rlimit_resource resource, LimitOf&& limit_of) {
        constexpr int rounds_max = 200;
        for (int round = 0; round < rounds_max; ++round) {
            isolate::ChildPool::of_this_process().end_idle();
            folder_.rebuild();
            int32_t code = CH_OK;
            {
                const Limit limit(resource, limit_of(round));
                code = use();
            }
            if (code == CH_OK || HasFailure()) return round;
        }
        ADD_FAILURE() << "it never was enough";
        return rounds_max;
    }

    const TempFolder temp_folder_;
    RuntimeFolder folder_;
    Work work_;
};

}  // namespace

// A write beyond the limit fails as on a full disk.
TEST_P(ExhaustedResources, Disk) {
    signal(SIGXFSZ, SIG_IGN);
    expect_it_works();
    const int failed = rounds_until_enough(RLIMIT_FSIZE, [](int round) { return uint64_t{1024} << (2 * round); });
    EXPECT_GT(failed, 0);
    expect_it_works();
}

TEST_P(ExhaustedResources, Descriptors) {
    expect_it_works();
    const size_t files = entries("/proc/self/fd");
    const uint64_t first = lowest_free_descriptor();
    const int failed =
        rounds_until_enough(RLIMIT_NOFILE, [first](int round) { return first + static_cast<uint64_t>(round); });
    EXPECT_GT(failed, 0);
    isolate::ChildPool::of_this_process().end_idle();
    EXPECT_LE(entries("/proc/self/fd"), files);
    expect_it_works();
}

#if !CHIPHOST_SANITIZED  // a sanitizer reserves terabytes
TEST_P(ExhaustedResources, AddressSpace) {
    constexpr uint64_t step_bytes = 2 << 20;
    const int failed = rounds_until_enough(
        RLIMIT_AS, [](int round) { return mapped_bytes() + static_cast<uint64_t>(round) * step_bytes; });
    printf("%d limits were too low\n", failed);
    expect_it_works();
}
#endif

// Programs vanish, are other files for a while, or end early, whatever the worker is doing.
TEST_P(ExhaustedResources, ChangingFiles) {
    expect_it_works();
    constexpr int rounds = 100;
    const RandomSeed seed;
    std::mt19937 random(seed.value());
    std::string files[] = {folder_.options.files.host, folder_.options.files.aicpu, folder_.options.files.aicore};
    for (std::string& file : files) std::filesystem::copy_file(file, file + ".good");
    std::atomic<bool> over{false};
    std::atomic<int> uses{0};
    std::thread changer([&] {
        while (!over) {
            const std::string& file = files[random() % std::size(files)];
            const std::string other = file + ".other";
            switch (random() % 3) {
                case 0:
                    rename(file.c_str(), other.c_str());
                    break;
                case 1:
                    std::ofstream(other) << "not a program";
                    rename(other.c_str(), file.c_str());
                    break;
                default:
                    // A load of a file in place maps it: an access behind its end follows, which nobody can catch.
                    if (GetParam() != Strategy::link_namespace) {
                        static_cast<void>(truncate(file.c_str(), static_cast<off_t>(random() % 100'000)));
                    }
            }
            std::this_thread::yield();
            std::filesystem::remove(other);  // never written to: it may be mapped
            std::filesystem::copy_file(file + ".good", other);
            rename(other.c_str(), file.c_str());
            const int now = uses;
            if (random() % 2) {
                while (uses == now && !over) std::this_thread::yield();  // good for one whole use
            }
        }
    });
    int failed = 0;
    // On a busy machine the changer may have to wait for longer than many uses take.
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while ((uses < rounds || failed == 0) && !HasFailure() && std::chrono::steady_clock::now() < patience) {
        failed += use() != CH_OK;
        ++uses;
    }
    over = true;
    changer.join();
    EXPECT_GT(failed, 0) << "the files never changed in time";
    printf("%d of %d failed\n", failed, uses.load());
    expect_it_works();
}

INSTANTIATE_TEST_SUITE_P(All, ExhaustedResources,
                         testing::Values(
#if !CHIPHOST_SANITIZED
                             Strategy::link_namespace,
#endif
                             Strategy::copy, Strategy::process),
                         [](const auto& chosen) { return std::string(isolate::strategy_name(chosen.param)); });

}  // namespace chiphost::worker
