// SPDX-License-Identifier: Apache-2.0
//
// Runs of a worker: their configuration, their order, and the memory that they have.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "test_worker.h"

namespace chiphost::worker {

using namespace tests;

TEST(Worker, RefusesConfigurationsOutOfRange) {
    TestWorker worker;
    worker.config.block_dim = 25;
    EXPECT_EQ(run_chain(worker), "CONFIG_OUT_OF_RANGE: block_dim: wanted 1 to 24 on a2a3, found 25");
    worker.config.block_dim = 3;
    worker.config.aicpu_thread_num = 5;
    EXPECT_EQ(run_chain(worker), "CONFIG_OUT_OF_RANGE: aicpu_thread_num: wanted 1 to 4 on a2a3, found 5");
    worker.config.aicpu_thread_num = 4;
    worker.config.sim_threads = 0;
    EXPECT_EQ(run_chain(worker), "CONFIG_OUT_OF_RANGE: sim_threads: wanted 1 to 64 on a2a3, found 0");
    worker.config.sim_threads = 1;
    EXPECT_EQ(run_chain(worker), "ok");
}

// A configuration of zeros, except in fields for which the chip has no default.
TEST(Worker, LeavesToTheChipWhatIsZero) {
    TestWorker worker;
    worker.config = {sizeof(ch_call_config), 0, 0, 1, 1, 1, 0, 0, 0, 0};
    ASSERT_EQ(run_chain(worker), "ok");
    uint32_t cores = 0, schedulers = 0;
    for (const ch_trace_event& event : worker.trace) {
        if (event.kind != CH_TRACE_DISPATCH) continue;
        cores = std::max(cores, event.core + 1u);
        schedulers = std::max(schedulers, event.by + 1u);
    }
    const ch_chip& chip = worker.info()->chip;
    EXPECT_EQ(std::tie(chip.clusters, chip.aicpu_threads, chip.memory_bytes), std::tuple(24u, 4u, uint64_t{64} << 30));
    EXPECT_GT(schedulers, 0u);
    EXPECT_LE(schedulers, 3u);
    EXPECT_LE(cores, 3 * 24u);
}

TEST(Worker, TracesTheSameForTheSameSeed) {
    TestWorker worker;
    worker.config.trace = 1;
    worker.config.seed = 99;
    ASSERT_EQ(run_chain(worker), "ok");
    const std::vector<ch_trace_event> first = worker.trace;
    ASSERT_FALSE(first.empty());
    ASSERT_EQ(run_chain(worker), "ok");
    ASSERT_EQ(worker.trace.size(), first.size());
    EXPECT_EQ(memcmp(worker.trace.data(), first.data(), first.size() * sizeof(ch_trace_event)), 0);
}

// Every seed is an order of its own, and always the same.
TEST(Worker, HasAnOrderForEverySeed) {
    TestWorker worker;
    worker.config.trace = 1;
    static const TestCallable callable("graph_from_table");
    std::set<std::string> traces;
    std::set<std::string> beginnings;  // cores come to life: before any kernel could pause at random
    constexpr uint64_t seeds = 8;
    for (int round = 0; round < 2; ++round) {
        for (uint64_t seed = 0; seed < seeds; ++seed) {
            Table table;
            for (int i = 0; i < 30; ++i) table.tasks.insert(table.tasks.end(), {i % 2, i % 2});
            worker.config.seed = seed;
            ASSERT_EQ(worker.try_run(callable, table.args()), "ok");
            const auto* bytes = reinterpret_cast<const char*>(worker.trace.data());
            traces.emplace(bytes, worker.trace.size() * sizeof(ch_trace_event));
            beginnings.emplace(bytes, 4 * sizeof(ch_trace_event));
        }
    }
    EXPECT_EQ(traces.size(), seeds);
    EXPECT_GT(beginnings.size(), seeds / 2);
}

// Memory that is new to a run holds nothing that could be taken for a result, not even of the run before.
TEST(Worker, BeginsWithUndefinedMemory) {
    TestWorker worker;
    const TestCallable callable("misbehave");
    for (const int32_t before : {0, 5}) {
        std::vector<int32_t> output(1000, before);
        const ch_tensor out = tensor(output.data(), CH_INT32, {1000}, CH_OUT);
        const uint64_t nothing_wrong = 0;
        ASSERT_EQ(worker.try_run(callable, {&out, &nothing_wrong, 1, 1}), "ok");
        for (const int32_t value : output) ASSERT_EQ(value, -1) << "a byte that nobody has written is 0xFF";
    }
}

TEST(Worker, KeepsWithinItsDeviceMemory) {
    ChipWorker::Options options = options_for();
    options.device_memory_bytes = 1 << 20;
    TestWorker worker(options);
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(200'000);
    EXPECT_EQ(worker.try_run(callable, table.args()).find("DEVICE_MEMORY_EXHAUSTED: device memory: wanted "), 0u);
    for (int i = 0; i < 50; ++i) ASSERT_EQ(run_chain(worker, 100), "ok") << "memory of a run was not given back";
}

// Ids are 31 bits wide, so this is a runtime that was built with fewer of them.
TEST(Worker, SaysWhenAGraphHasTooManyTasks) {
    ChipWorker::Options options = options_for();
    options.files.host = library_path("host_of_few_ids");
    TestWorker worker(options);
    EXPECT_EQ(run_chain(worker, 100), "ok");
    EXPECT_EQ(run_chain(worker, 101).find("TOO_MANY_TASKS: submit #100 (kernel `"), 0u);
    EXPECT_NE(strstr(worker.error.message, "there are 100 tasks already; called at [orchestration+0x"), nullptr);
    EXPECT_EQ(worker.error.task, 100);
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(2);
    for (int i = 0; i < 200; ++i) table.edges.insert(table.edges.end(), {0, 1});
    EXPECT_EQ(
        worker.try_run(callable, table.args())
            .find("TOO_MANY_TASKS: add_successor: the edge from submit #0 to submit #1 is one too many; called at"),
        0u);
    EXPECT_EQ(run_chain(worker, 100), "ok");
}

#if !CHIPHOST_SANITIZED  // a sanitizer has reserved more address space than any limit
TEST(Worker, SaysWhenTheHostHasNoMemory) {
    TestWorker worker, other(options_for("a5sim"));
    ASSERT_EQ(run_chain(worker), "ok");
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(3'000'000);
    const ch_task_args& args = table.args();
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
    const rlimit tight{pages * static_cast<size_t>(sysconf(_SC_PAGESIZE)) + (64 << 20), before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
    const std::string text = worker.try_run(callable, args);
    ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
    EXPECT_EQ(text.find("HOST_MEMORY_EXHAUSTED: add_task: no memory for "), 0u) << text;
    EXPECT_EQ(run_chain(worker), "ok");
    EXPECT_EQ(run_chain(other), "ok");
}
#endif

}  // namespace chiphost::worker
