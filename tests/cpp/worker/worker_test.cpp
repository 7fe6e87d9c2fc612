// SPDX-License-Identifier: Apache-2.0
//
// The life of workers on the real programs: through namespaces, and through copies where sanitizers rule namespaces
// out.
#include "worker/chip_worker.h"

#include <atomic>
#include <thread>

#include "test_worker.h"
#include "worker/local_context.h"

namespace chiphost::worker {

using namespace tests;

TEST(Worker, RunsAGraph) {
    TestWorker worker;
    EXPECT_EQ(run_chain(worker), "ok");
    EXPECT_EQ(worker.result.task_count, 20u);
    worker.config.sim_threads = 3;
    EXPECT_EQ(run_chain(worker), "ok");
}

TEST(Worker, GuardsItsState) {
    TestWorker worker(nullptr);
    EXPECT_EQ(worker.device_id(), -1);
    EXPECT_EQ(run_chain(worker), "NOT_INITIALIZED: run: not initialized; call init() first");
    ch_error error = no_error();
    EXPECT_EQ(worker.reset(&error), CH_OK);
    ChipWorker::Options options = options_for();
    options.device_id = 4;
    EXPECT_EQ(worker.try_initialize(options), "ok");
    EXPECT_EQ(worker.device_id(), 4);
    EXPECT_EQ(worker.try_initialize(options), "ALREADY_INITIALIZED: init: already initialized; call reset() first");
    EXPECT_EQ(run_chain(worker), "ok");
    EXPECT_EQ(worker.reset(&error), CH_OK);
    EXPECT_EQ(worker.reset(&error), CH_OK);
    EXPECT_EQ(worker.device_id(), -1);
    EXPECT_EQ(worker.try_initialize(options_for("a5sim")), "ok");
    EXPECT_EQ(run_chain(worker), "ok");
    worker.finalize();
    worker.finalize();
    EXPECT_EQ(run_chain(worker), "FINALIZED: worker: the worker was finalized");
    EXPECT_EQ(worker.try_initialize(options), "FINALIZED: worker: the worker was finalized");
    EXPECT_EQ(worker.reset(&error), CH_FINALIZED);
}

TEST(Worker, RefusesANegativeDevice) {
    ChipWorker::Options options = options_for();
    options.device_id = -2;
    TestWorker worker(nullptr);
    EXPECT_EQ(worker.try_initialize(options), "INVALID_ARGUMENT: device_id: wanted 0 or more, found -2");
}

TEST(Worker, SharesARuntimeWithOthersAtTheSameTime) {
    std::vector<std::unique_ptr<TestWorker>> workers;
    for (int i = 0; i < 8; ++i)
        workers.push_back(std::make_unique<TestWorker>(options_for(i % 2 ? "a5sim" : "a2a3sim")));
    std::vector<std::thread> threads;
    std::vector<std::string> answers(workers.size());
    for (size_t i = 0; i < workers.size(); ++i) {
        threads.emplace_back([&, i] {
            for (uint32_t round = 0; round < 20 && (answers[i].empty() || answers[i] == "ok"); ++round) {
                workers[i]->config.sim_threads = 1 + round % 2;
                answers[i] = run_chain(*workers[i], 5 + round);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& answer : answers) EXPECT_EQ(answer, "ok");
}

TEST(Worker, ServesSeveralThreads) {
    TestWorker worker;
    std::vector<std::thread> threads;
    std::atomic<int> failures{0};
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            static const TestCallable callable("graph_from_table");
            for (int round = 0; round < 20; ++round) {
                Table table;
                table.add_chain(10);
                ch_run_result result{};
                ChipWorker::RunEnd end;
                ch_error error = no_error();
                const ch_call_config config = worker.config;
                if (worker.run(callable.raw, table.args(), config, {}, &result, nullptr, &end, &error) != CH_OK) {
                    ++failures;
                } else {
                    table.verify_chain();
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(failures.load(), 0);
}

TEST(Worker, LeavesThreadsFilesAndMapsAsTheyWere) {
    TestWorker worker;
    ASSERT_EQ(run_chain(worker), "ok");
    const auto cycle = [&] {
        ch_error error = no_error();
        ASSERT_EQ(worker.reset(&error), CH_OK);
        ASSERT_EQ(worker.try_initialize(options_for()), "ok");
        ASSERT_EQ(run_chain(worker), "ok");
    };
    for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(cycle());
    const size_t threads = entries("/proc/self/task"), files = entries("/proc/self/fd");
    const size_t maps = lines_of("/proc/self/maps");
    for (int i = 0; i < (CHIPHOST_SANITIZED ? 100 : 1000); ++i) ASSERT_NO_FATAL_FAILURE(cycle());
    EXPECT_EQ(entries("/proc/self/task"), threads);
    EXPECT_EQ(entries("/proc/self/fd"), files);
#if !CHIPHOST_SANITIZED  // a sanitizer's allocator maps as it likes
    EXPECT_LE(lines_of("/proc/self/maps"), maps + 2);
#else
    (void)maps;
#endif
}

TEST(Worker, CreatesAndOpensNothingForARun) {
    TestWorker worker;
    ASSERT_EQ(run_chain(worker), "ok");
    isolate::Domain& domain = worker.library()->domain();
    const ch_anchor_counts before = domain.counts();
    for (int i = 0; i < 50; ++i) ASSERT_EQ(run_chain(worker), "ok");
    const ch_anchor_counts after = domain.counts();
    EXPECT_EQ(after.threads, before.threads);
    EXPECT_EQ(after.loads, before.loads);
}

// The memory that a run has written is gone with it: a call of cancel() that comes too late must not write there.
TEST(Worker, CancelsNothingThatIsOver) {
    TestWorker worker;
    ASSERT_EQ(run_chain(worker), "ok");
    worker.cancel();
    ASSERT_EQ(run_chain(worker), "ok");
    ch_error error = no_error();
    ASSERT_EQ(worker.reset(&error), CH_OK);
    std::vector<std::vector<char>> in_its_place;  // memory of the context that is gone, or none
    for (int i = 0; i < 100; ++i) in_its_place.emplace_back(sizeof(LocalContext));
    worker.cancel();
    for (const std::vector<char>& memory : in_its_place) {
        ASSERT_EQ(std::count(memory.begin(), memory.end(), 0), static_cast<ptrdiff_t>(memory.size()));
    }
    ASSERT_EQ(worker.try_initialize(options_for()), "ok");
    worker.cancel();
    EXPECT_EQ(run_chain(worker), "ok");
    worker.finalize();
    worker.cancel();
}

}  // namespace chiphost::worker
