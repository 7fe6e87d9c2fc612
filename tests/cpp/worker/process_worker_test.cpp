// SPDX-License-Identifier: Apache-2.0
//
// Workers whose runtime lives in a child process: the results are the same.
#include <algorithm>
#include <thread>

#include "process_worker.h"

namespace chiphost::worker {

using namespace tests;

TEST_F(ProcessWorker, RunsAGraphAsInThisProcess) {
    TestWorker here;
    TestWorker there(in_a_process());
    EXPECT_EQ(here.process_id(), -1);
    EXPECT_GT(there.process_id(), 0);
    EXPECT_EQ(there.library(), nullptr);
    EXPECT_EQ(there.info()->runtime, "host_build_graph");
    EXPECT_EQ(there.info()->platform, "a2a3sim");
    EXPECT_EQ(there.info()->strategy, isolate::Strategy::process);
    for (uint64_t seed : {0, 5, 6}) {
        for (TestWorker* worker : {&here, &there}) {
            worker->config.trace = 1;
            worker->config.seed = seed;
            ASSERT_EQ(run_chain(*worker), "ok");
            EXPECT_EQ(worker->result.task_count, 20u);
        }
        ASSERT_FALSE(here.trace.empty());
        ASSERT_EQ(here.trace.size(), there.trace.size());
        EXPECT_EQ(memcmp(here.trace.data(), there.trace.data(), here.trace.size() * sizeof(ch_trace_event)), 0);
    }
    there.config.trace = 0;
    there.config.sim_threads = 3;
    EXPECT_EQ(run_chain(there), "ok");
}

TEST_F(ProcessWorker, ReportsWhatTheRuntimeReports) {
    TestWorker worker(in_a_process());
    const pid_t child = worker.process_id();
    worker.config.block_dim = 25;
    EXPECT_EQ(run_chain(worker), "CONFIG_OUT_OF_RANGE: block_dim: wanted 1 to 24 on a2a3, found 25");
    worker.config.block_dim = 3;
    run_throwing_kernel(worker);
    TestWorker other(nullptr);
    EXPECT_EQ(other.try_initialize(in_a_process("a5sim")), "ok");
    ChipWorker::Options options = in_a_process("a5sim");
    options.platform = "a2a3sim";
    TestWorker wrong(nullptr);
    EXPECT_NE(wrong.try_initialize(options).find("wanted tag " CH_HOST_TAG "/a2a3sim, found " CH_HOST_TAG "/a5sim"),
              std::string::npos);
    options = in_a_process();
    options.files.host = library_path("fake_throws_in_run");
    TestWorker throws(options);
    EXPECT_EQ(tell(throws, Deed::nothing),
              "INTERNAL: " + options.files.host + ": the runtime let an exception out of run");
    options.files.host += ".missing";
    EXPECT_EQ(wrong.try_initialize(options).find("FILE_UNREADABLE: "), 0u);
    options = in_a_process();
    options.child_path = "/no/such/program";
    EXPECT_EQ(wrong.try_initialize(options).find("PROCESS_NOT_STARTED: /no/such/program: cannot start"), 0u);
    EXPECT_EQ(run_chain(worker), "ok");
    EXPECT_EQ(worker.process_id(), child) << "errors are no reason for another child";
}

TEST_F(ProcessWorker, PassesArraysAsTheyAre) {
    TestWorker worker(misbehaving());
    const auto increment = [&](void* from, void* to, size_t bytes, ch_access access) {
        const auto size = static_cast<uint32_t>(bytes);
        const ch_tensor tensors[] = {tensor(from, CH_UINT8, {size}, CH_IN), tensor(to, CH_UINT8, {size}, access)};
        return tell(worker, Deed::increment, 0, {}, tensors, 2);
    };
    for (size_t bytes : {size_t{2}, size_t{100}, size_t{4} << 20, size_t{16} << 20, size_t{100}}) {
        std::vector<uint8_t> from(bytes, 7);
        std::vector<uint8_t> to(bytes, 3);
        ASSERT_EQ(increment(from.data(), to.data(), bytes, CH_OUT), "ok");
        EXPECT_EQ(std::count(to.begin(), to.begin() + static_cast<long>(bytes / 2), 8), static_cast<long>(bytes / 2));
        EXPECT_EQ(std::count(to.begin() + static_cast<long>(bytes / 2), to.end(), 3),
                  static_cast<long>(bytes - bytes / 2))
            << "what a run does not write stays";
        EXPECT_EQ(std::count(from.begin(), from.end(), 7), static_cast<long>(bytes));
    }
    EXPECT_EQ(increment(nullptr, nullptr, 0, CH_OUT), "ok");
    // Arrays that overlap, each byte made from the one before it.
    std::vector<uint8_t> chain(101, 0);
    ASSERT_EQ(increment(chain.data(), chain.data() + 1, 100, CH_INOUT), "ok");
    for (size_t i = 0; i <= 50; ++i) ASSERT_EQ(chain[i], i);
    for (size_t i = 51; i < chain.size(); ++i) ASSERT_EQ(chain[i], 0);
    // An input is never written.
    std::vector<uint8_t> input(10, 1);
    ASSERT_EQ(increment(input.data(), input.data(), 10, CH_IN), "ok");
    EXPECT_EQ(std::count(input.begin(), input.end(), 1), 10);
}

TEST_F(ProcessWorker, BringsBackLargeTraces) {
    TestWorker worker(misbehaving());
    for (size_t events : {size_t{3}, size_t{1} << 20, size_t{5}}) {
        ASSERT_EQ(tell(worker, Deed::trace, events), "ok");
        ASSERT_EQ(worker.trace.size(), events);
        EXPECT_EQ(worker.trace.back().task, 6u);
    }
}

TEST_F(ProcessWorker, KeepsMoreCallablesThanItsChildDoes) {
    TestWorker worker(in_a_process());
    std::vector<std::string> keys;
    for (uint32_t i = 0; i < 2 * isolate::KeptKeys::slots_max + 3; ++i) keys.push_back("key " + std::to_string(i));
    TestCallable callable("graph_from_table");
    for (int round = 0; round < 2; ++round) {
        for (const std::string& key : keys) {
            callable.raw.key = key.c_str();
            Table table;
            table.add_chain(3);
            ASSERT_EQ(worker.try_run(callable, table.args()), "ok") << key;
            table.verify_chain();
        }
    }
}

TEST_F(ProcessWorker, WorksWithOthersAtTheSameTime) {
    std::vector<std::unique_ptr<TestWorker>> workers;
    for (int i = 0; i < 6; ++i) {
        workers.push_back(std::make_unique<TestWorker>(in_a_process(i % 2 ? "a5sim" : "a2a3sim")));
    }
    TestWorker crashing(misbehaving());
    std::vector<std::string> answers(workers.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < workers.size(); ++i) {
        threads.emplace_back([&, i] {
            for (uint32_t round = 0; round < 20 && (answers[i].empty() || answers[i] == "ok"); ++round) {
                answers[i] = run_chain(*workers[i], 5 + round);
            }
        });
    }
    for (int i = 0; i < 5; ++i) EXPECT_EQ(tell(crashing, Deed::crash).find("PROCESS_DIED: "), 0u);
    for (std::thread& thread : threads) thread.join();
    for (const std::string& answer : answers) EXPECT_EQ(answer, "ok");
}

}  // namespace chiphost::worker
