// SPDX-License-Identifier: Apache-2.0
//
// Workers on the real programs: through namespaces, and through copies where sanitizers rule namespaces out.
#include "worker/chip_worker.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <set>
#include <thread>

#include "chiphost/abi/device_program.h"
#include "test_worker.h"
#include "worker/local_context.h"

namespace chiphost::worker {

using namespace tests;

namespace {

ChipWorker::Options fake(const std::string& variant) {
    ChipWorker::Options options = options_for();
    options.files.host = library_path("fake_" + variant);
    return options;
}

}  // namespace

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

struct Misbehaviour {
    int32_t what;
    const char* begins;
};

// For the test's name, which would otherwise be the bytes of it, with addresses that differ in each run.
void PrintTo(const Misbehaviour& misbehaviour, std::ostream* out) {
    *out << misbehaviour.what;
}

class MisbehavingOrchestration : public testing::TestWithParam<Misbehaviour> {};

// Every fault of an orchestration is an error that says what it was, and the worker goes on.
TEST_P(MisbehavingOrchestration, IsReported) {
    TestWorker worker;
    const TestCallable callable("misbehave");
    int32_t output[4] = {11, 12, 13, 14};
    const ch_tensor out = tensor(output, CH_INT32, {4}, CH_OUT);
    const uint64_t what = static_cast<uint64_t>(static_cast<int64_t>(GetParam().what));
    const ch_task_args args{&out, &what, 1, 1};
    const std::string text = worker.try_run(callable, args);
    EXPECT_EQ(text.find(GetParam().begins), 0u) << text;
    if (GetParam().what != 0) {
        EXPECT_EQ(output[0], 11) << "a run that failed wrote to its output";
    }
    EXPECT_EQ(run_chain(worker), "ok");
}

INSTANTIATE_TEST_SUITE_P(
    Faults, MisbehavingOrchestration,
    testing::Values(
        Misbehaviour{0, "ok"},
        Misbehaviour{1, "ORCHESTRATION_FAILED: build_graph of orchestration_misbehave: returned -7"},
        Misbehaviour{2, "ORCHESTRATION_THREW: build_graph of orchestration_misbehave: the orchestration's own words"},
        Misbehaviour{3, "FUNC_ID_OUT_OF_RANGE: add_task: task 0: wanted func_id 0 to 1023, found 1024"},
        Misbehaviour{4, "FUNC_ID_OUT_OF_RANGE: add_task: task 0: wanted func_id 0 to 1023, found -1"},
        Misbehaviour{5, "KERNEL_MISSING: add_task: task 0: the callable has no kernel 9"},
        Misbehaviour{6, "CORE_TYPE_INVALID: add_task: task 0: wanted core type 0 (AIC) or 1 (AIV), found 2"},
        Misbehaviour{7, "CORE_TYPE_INVALID: add_task: task 0: kernel 1 was built for AIV, the task wants AIC"},
        Misbehaviour{8, "TASK_ID_OUT_OF_RANGE: add_successor: edge 0 -> 1: the graph has tasks 0 to 0"},
        Misbehaviour{9, "TOO_MANY_TASK_ARGS: add_task: task 0: wanted at most 160 arguments, found 161"},
        Misbehaviour{10, "GRAPH_CYCLE: graph: tasks wait for each other: 1 -> 2 -> 1"},
        Misbehaviour{11, "DEVICE_MEMORY_EXHAUSTED: device memory: wanted 1152921504606846976 bytes, "},
        Misbehaviour{12, "DEVICE_POINTER_INVALID: copy_to_device: 4 bytes at "},
        Misbehaviour{13, "HOST_RANGE_INVALID: record_tensor_pair: 16 bytes at "},
        Misbehaviour{14, "DEVICE_POINTER_INVALID: device_free: "},
        Misbehaviour{15, "DEVICE_POINTER_INVALID: record_tensor_pair: "},
        Misbehaviour{16, "ORCHESTRATION_THREW: build_graph of orchestration_misbehave: an exception that is no "},
        Misbehaviour{18, "FUNC_ID_OUT_OF_RANGE: add_task: task 0: wanted func_id 0 to 1023, found 1024"},
        Misbehaviour{99, "ORCHESTRATION_THREW: build_graph of orchestration_misbehave: TaskArgs::tensor(3): the run"}),
    [](const auto& parameter) { return std::to_string(parameter.param.what); });

TEST(Worker, ReportsAThrowingKernel) {
    TestWorker worker;
    const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(3);
    table.tasks.insert(table.tasks.end(), {3, CH_AIC});
    const std::string text = worker.try_run(callable, table.args());
    EXPECT_EQ(text, "KERNEL_THREW: kernel_throw_exception: kernel 3 of task 3 on core " +
                        std::to_string(worker.error.core) + " threw: the kernel's own words");
    EXPECT_EQ(worker.error.task, 3);
    EXPECT_EQ(worker.error.func_id, 3);
    EXPECT_GE(worker.error.core, 0);
    EXPECT_LT(worker.error.core, 3) << "an AIC";
    EXPECT_EQ(run_chain(worker), "ok");
}

// A kernel that never returns ends the run at its deadline and poisons this worker only.
class HangingKernel : public testing::TestWithParam<uint32_t> {};

TEST_P(HangingKernel, PoisonsItsWorkerOnly) {
    TestWorker* const worker = keep_for_ever(new TestWorker);
    worker->config.sim_threads = GetParam();
    TestWorker other;
    auto* callable = keep_for_ever(new TestCallable("graph_from_table"));
    auto* table = keep_for_ever(new Table);
    auto* word = keep_for_ever(new uint32_t{0});
    table->tasks = {2, CH_AIV};
    table->edges = {};
    const ch_task_args& args = table->args();
    table->log[0] = reinterpret_cast<uint64_t>(word);
    isolate::Wait wait;
    wait.timeout = std::chrono::milliseconds(50);
    const std::string text = worker->try_run(*callable, args, wait);
    EXPECT_EQ(worker->end, ChipWorker::RunEnd::abandoned);
    EXPECT_EQ(text.find("DEADLINE_EXCEEDED: device: the run did not end within 0.05 s: kernel kernel_wait_for_word "
                        "(func_id 2) of task 0 on core "),
              0u)
        << text;
    EXPECT_EQ(worker->error.task, 0);
    EXPECT_GE(worker->error.core, 3) << "an AIV";
    EXPECT_TRUE(worker->poisoned());
    EXPECT_EQ(run_chain(*worker).find("POISONED: worker: the worker is poisoned: the run did not end within"), 0u);
    ch_error error = no_error();
    EXPECT_EQ(worker->reset(&error), CH_POISONED);
    EXPECT_EQ(run_chain(other), "ok");
    EXPECT_EQ(run_chain(*std::make_unique<TestWorker>()), "ok");
    worker->finalize();
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    // The kernel now writes to the log and the thread ends its call by itself; it must not write to the arrays that
    // were taken away from it.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(table->log[0], reinterpret_cast<uint64_t>(word));
    EXPECT_EQ(table->log[1], 0u);
}

// It is given up half a second after the deadline, or soon after: a run that can be stopped has that long to stop.
TEST_P(HangingKernel, IsGivenUpInTime) {
    TestWorker* const worker = keep_for_ever(new TestWorker);
    worker->config.sim_threads = GetParam();
    auto* callable = keep_for_ever(new TestCallable("graph_from_table"));
    auto* table = keep_for_ever(new Table);
    auto* word = keep_for_ever(new uint32_t{0});
    table->tasks = {2, CH_AIV};
    const ch_task_args& args = table->args();
    table->log[0] = reinterpret_cast<uint64_t>(word);
    isolate::Wait wait;
    wait.timeout = std::chrono::milliseconds(50);
    const uint64_t start_ns = ch_monotonic_ns();
    worker->try_run(*callable, args, wait);
    const uint64_t took_ns = ch_monotonic_ns() - start_ns;
    EXPECT_EQ(worker->end, ChipWorker::RunEnd::abandoned);
    EXPECT_GE(took_ns, 550'000'000u);
    EXPECT_LT(took_ns, 45'000'000'000u);
    worker->finalize();
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
}

INSTANTIATE_TEST_SUITE_P(SimThreads, HangingKernel, testing::Values(1, 2));

TEST(Worker, ReportsAHangingOrchestration) {
    TestWorker* const worker = keep_for_ever(new TestWorker);
    auto* callable = keep_for_ever(new TestCallable("misbehave"));
    auto* output = keep_for_ever(new int32_t{0});
    auto* out = keep_for_ever(new ch_tensor(tensor(output, CH_INT32, {1}, CH_OUT)));
    auto* what = keep_for_ever(new uint64_t{17});
    const auto* args = keep_for_ever(new ch_task_args{out, what, 1, 1});
    isolate::Wait wait;
    int polls = 0;
    wait.go_on = [&] { return ++polls < 2; };
    const std::string text = worker->try_run(*callable, *args, wait);
    EXPECT_EQ(text,
              "INTERRUPTED: the orchestration: the run was interrupted: the orchestration did not return; this "
              "worker cannot be used again");
    EXPECT_EQ(worker->end, ChipWorker::RunEnd::abandoned);
    worker->finalize();
    __atomic_store_n(output, 1, __ATOMIC_RELEASE);
    // The orchestration returns now, and its output would be copied out if it had not been taken away.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(__atomic_load_n(output, __ATOMIC_ACQUIRE), 1);
}

// Calls that wait for another thread's run may give up, by go_on or by their timeout, and then have done nothing.
TEST(Worker, LetsAWaitingCallGiveUp) {
    TestWorker* const worker = keep_for_ever(new TestWorker);
    auto* callable = keep_for_ever(new TestCallable("graph_from_table"));
    auto* table = keep_for_ever(new Table);
    auto* word = keep_for_ever(new uint32_t{0});
    table->tasks = {2, CH_AIV};
    table->edges = {};
    const ch_task_args& args = table->args();
    table->log[0] = reinterpret_cast<uint64_t>(word);
    std::atomic<bool> runs{false};
    std::string text;
    std::thread hanging([&] {
        isolate::Wait wait;
        wait.go_on = [&] { return runs = true; };
        text = worker->try_run(*callable, args, wait);
    });
    while (!runs) std::this_thread::yield();

    ch_error error = no_error();
    const auto give_up = [] { return false; };
    EXPECT_EQ(worker->finalize(&error, give_up), CH_INTERRUPTED);
    EXPECT_EQ(worker->reset(&error, give_up), CH_INTERRUPTED);
    EXPECT_EQ(worker->initialize(options_for(), &error, give_up), CH_INTERRUPTED);
    ch_run_result result{};
    auto end = ChipWorker::RunEnd::returned;
    isolate::Wait wait;
    wait.timeout = std::chrono::milliseconds(60);
    const ch_call_config config{sizeof(ch_call_config), 3, 3, 1, 1, 0, 0};
    EXPECT_EQ(worker->run(callable->raw, args, config, wait, &result, nullptr, &end, &error), CH_DEADLINE_EXCEEDED);
    EXPECT_EQ(text_of(error),
              "DEADLINE_EXCEEDED: worker: the run did not begin within 0.06 s: another thread's run had the worker");
    EXPECT_TRUE(worker->initialized());
    EXPECT_FALSE(worker->poisoned());

    // A call that waits on gets its turn.
    std::thread closing([&] { worker->finalize(); });
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    hanging.join();
    closing.join();
    EXPECT_EQ(text, "ok");
    EXPECT_FALSE(worker->initialized());
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

// A run that takes too long but can be stopped leaves the worker usable.
TEST(Worker, IsUsableAfterADeadline) {
    TestWorker worker;
    static const TestCallable callable("graph_from_table");
    Table& table = *keep_for_ever(new Table);  // should the run be given up, it goes on reading
    table.add_chain(CHIPHOST_SANITIZED ? 300'000 : 3'000'000);
    isolate::Wait wait;
    wait.timeout = std::chrono::milliseconds(1);
    const std::string text = worker.try_run(callable, table.args(), wait);
    EXPECT_EQ(text.find("DEADLINE_EXCEEDED: "), 0u) << text;
    EXPECT_EQ(worker.end, ChipWorker::RunEnd::returned);
    EXPECT_FALSE(worker.poisoned());
    EXPECT_EQ(run_chain(worker), "ok");
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
    EXPECT_EQ(run_chain(worker, 101), "TOO_MANY_TASKS: add_task: there are 100 tasks already");
    EXPECT_EQ(worker.error.task, 100);
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(2);
    for (int i = 0; i < 200; ++i) table.edges.insert(table.edges.end(), {0, 1});
    EXPECT_EQ(worker.try_run(callable, table.args()), "TOO_MANY_TASKS: add_successor: edge 0 -> 1 is one too many");
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

TEST(Worker, RefusesCallablesThatCannotBeLoaded) {
    TestWorker worker;
    TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(1);
    ch_callable broken = callable.raw;
    broken.key = "no entry";
    broken.entry = "no_such_function";
    const auto attempt = [&] {
        ch_error error = no_error();
        ChipWorker::RunEnd end;
        ch_run_result result{};
        return worker.run(broken, table.args(), worker.config, {}, &result, nullptr, &end, &error) == CH_OK
                   ? std::string("ok")
                   : text_of(error);
    };
    EXPECT_EQ(attempt(), "ENTRY_MISSING: orchestration_graph_from_table: wanted the function no_such_function");
    broken = callable.raw;
    broken.key = "no elf";
    broken.orchestration.key = "no elf";
    broken.orchestration.data = "This is no shared library.";
    broken.orchestration.bytes = 26;
    EXPECT_EQ(attempt().find("NOT_ELF: orchestration_graph_from_table: "), 0u) << attempt();
    broken = callable.raw;
    broken.key = "no orchestration";
    const Binary counter("counter");
    broken.orchestration = counter.raw();
    EXPECT_EQ(attempt().find("ENTRY_MISSING: counter: wanted the symbol chiphost_orchestration_abi"), 0u) << attempt();
    broken = callable.raw;
    broken.key = "kernel without entry";
    ch_kernel kernel{0, CH_AIV, counter.raw()};
    broken.kernels = &kernel;
    broken.kernel_count = 1;
    EXPECT_EQ(attempt(), "ENTRY_MISSING: counter: wanted the function kernel_entry in the kernel of func_id 0");
    broken = callable.raw;
    broken.format = 99;
    EXPECT_EQ(attempt(), "ABI_MISMATCH: callable: wanted format 1, found 99");
    EXPECT_EQ(run_chain(worker), "ok");
}

// Host runtimes that are not what they should be. None may cost a namespace or take the process down.
struct Variant {
    const char* name;
    const char* answer;  // the beginning of the error
};

void PrintTo(const Variant& variant, std::ostream* out) {
    *out << variant.name;
}

class FakeRuntime : public testing::TestWithParam<Variant> {};

TEST_P(FakeRuntime, IsJudgedRightly) {
    const std::string host = library_path(std::string("fake_") + GetParam().name);
    std::string wanted = GetParam().answer;
    if (const size_t at = wanted.find('@'); at != std::string::npos) wanted.replace(at, 1, host);
    for (int attempt = 0; attempt < 15; ++attempt) {
        TestWorker worker(nullptr);
        const std::string found = worker.try_initialize(fake(GetParam().name));
        ASSERT_EQ(found.find(wanted), 0u) << found;
        if (found == "ok") {
            static const TestCallable callable("graph_from_table");
            Table table;
            table.add_chain(1);
            EXPECT_EQ(worker.try_run(callable, table.args()), "ok");
            EXPECT_EQ(worker.result.task_count, 42u);
        }
    }
    TestWorker good;
    EXPECT_EQ(run_chain(good), "ok");
}

#define TEXT_OF(number) TEXT_OF_EXPANDED(number)
#define TEXT_OF_EXPANDED(number) #number
INSTANTIATE_TEST_SUITE_P(
    Variants, FakeRuntime,
    testing::Values(
        Variant{"good", "ok"}, Variant{"newer_minor", "ok"}, Variant{"leaks_thread", "ok"},
        Variant{"wrong_magic", "ABI_MISMATCH: @: wanted a table that begins with magic 0x54534843"},
        Variant{"wrong_kind", "ABI_MISMATCH: @: wanted a host runtime, found an anchor"},
        Variant{"wrong_tag", "ABI_MISMATCH: @: wanted tag " CH_HOST_TAG "/a2a3sim, found sparc-solaris/a2a3sim"},
        Variant{"wrong_major",
                "ABI_MISMATCH: @: wanted a host runtime of ABI version 3.x, found 4." TEXT_OF(CH_HOST_RUNTIME_MINOR)},
        Variant{"short_table", "ABI_MISMATCH: @: wanted a host runtime of ABI version 3." TEXT_OF(
                                   CH_HOST_RUNTIME_MINOR) " or a later minor"},
        Variant{"no_entry", "ENTRY_MISSING: @: wanted the function chiphost_host_runtime"},
        Variant{"throws_in_entry", "INTERNAL: @: the runtime let an exception out of chiphost_host_runtime"},
        Variant{"throws_in_size", "INTERNAL: @: the runtime let an exception out of runtime_size"},
        Variant{"throws_in_set_device", "INTERNAL: @: the runtime let an exception out of set_device"},
        Variant{"fails_in_set_device", "PLATFORM_FAILED: "}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

// The two device programs: the real ones with another header.
class FakeDeviceProgram : public testing::TestWithParam<std::tuple<int, Variant>> {};

TEST_P(FakeDeviceProgram, IsJudgedRightly) {
    const auto& [which, variant] = GetParam();
    const bool aicpu = which == 0;
    ChipWorker::Options options = options_for();
    std::string& file = aicpu ? options.files.aicpu : options.files.aicore;
    file = library_path((aicpu ? "fake_aicpu_" : "fake_aicore_") + std::string(variant.name));
    std::string wanted = variant.answer;
    const auto fill_in = [&wanted](const std::string& mark, const std::string& text) {
        if (const size_t at = wanted.find(mark); at != std::string::npos) wanted.replace(at, mark.size(), text);
    };
    fill_in("@", file);
    fill_in("{program}", aicpu ? "an AICPU program" : "an AICore program");
    fill_in("{entry}", aicpu ? CH_AICPU_PROGRAM_ENTRY : CH_AICORE_PROGRAM_ENTRY);
    TestWorker worker(nullptr), other;
    for (int attempt = 0; attempt < 15; ++attempt) {
        const std::string found = worker.try_initialize(options);
        ASSERT_EQ(found.find(wanted), 0u) << found;
        if (found == "ok") {
            ASSERT_EQ(run_chain(worker), "ok");
        }
        ch_error error = no_error();
        ASSERT_EQ(worker.reset(&error), CH_OK);
    }
    EXPECT_EQ(worker.try_initialize(options_for()), "ok");
    EXPECT_EQ(run_chain(worker), "ok");
    EXPECT_EQ(run_chain(other), "ok");
}

INSTANTIATE_TEST_SUITE_P(
    Variants, FakeDeviceProgram,
    testing::Combine(
        testing::Values(0, 1),
        testing::Values(Variant{"good", "ok"}, Variant{"newer_minor", "ok"},
                        Variant{"wrong_magic", "ABI_MISMATCH: @: wanted a table that begins with magic 0x54534843"},
                        Variant{"wrong_kind", "ABI_MISMATCH: @: wanted {program}, found an anchor"},
                        Variant{"wrong_tag",
                                "ABI_MISMATCH: @: wanted tag " CH_HOST_TAG "/a2a3sim, found sparc-solaris/a2a3sim"},
                        Variant{"wrong_major", "ABI_MISMATCH: @: wanted {program} of ABI version 3.x, found 4.0"},
                        Variant{"short_table", "ABI_MISMATCH: @: wanted {program} of ABI version 3.0 or a later minor"},
                        Variant{"no_entry", "ENTRY_MISSING: @: wanted the function {entry}"})),
    [](const auto& parameter) {
        return std::string(std::get<0>(parameter.param) == 0 ? "aicpu_" : "aicore_") +
               std::get<1>(parameter.param).name;
    });

// H5: on the caller's thread, the runtime's keys would be the program's, and its values would lie in their place.
TEST(FakeRuntimes, AreNeverEnteredOnTheCallersThread) {
    pthread_key_t keys[8];
    for (pthread_key_t& key : keys) {
        ASSERT_EQ(pthread_key_create(&key, nullptr), 0);
        ASSERT_EQ(pthread_setspecific(key, "the program's"), 0);
    }
    TestWorker worker(fake("records_entry"));
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(1);
    ASSERT_EQ(worker.try_run(callable, table.args()), "ok");
    for (const uint64_t thread : {worker.result.orchestration_ns, worker.result.device_ns}) {
        EXPECT_NE(thread, static_cast<uint64_t>(gettid()));
        std::string name;
        std::getline(std::ifstream("/proc/self/task/" + std::to_string(thread) + "/comm"), name);
        EXPECT_EQ(name.compare(0, 9, "chiphost-"), 0)
            << "wanted a thread of the domain, which lives on; found " << name;
    }
    for (const pthread_key_t key : keys) {
        EXPECT_STREQ(static_cast<const char*>(pthread_getspecific(key)), "the program's");
    }
}

// The error for something that a runtime forgot names the function that forgot it, and the process lives on.
TEST(CarelessRuntimes, AreToldWhatTheyForgot) {
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(1);
    const auto run = [&](const std::string& variant) {
        ChipWorker::Options options = options_for();
        options.files.host = library_path("careless_" + variant);
        TestWorker worker(nullptr);
        const std::string made = worker.try_initialize(options);
        return made == "ok" ? worker.try_run(callable, table.args()) : made;
    };
    EXPECT_EQ(run("no_runtime"), "INTERNAL: careless: make_runtime returned no runtime");
    EXPECT_EQ(run("no_orchestration"), "INTERNAL: careless: load returned CH_OK and no orchestration");
    EXPECT_EQ(run("other_name"),
              "ABI_MISMATCH: careless: wanted the runtime_name \"careless\", as it is built, found \"thorough\"");
    EXPECT_EQ(run("returns_a_number"), "INTERNAL: careless: the runtime, or the platform it is built for, returned " +
                                           std::to_string(CH_INVALID_ARGUMENT) + " in run without filling the error");
    EXPECT_EQ(run("throws_at_the_end"), "INTERNAL: run: end_run");
    EXPECT_EQ(run("throws_twice"), "INTERNAL: run: end_run");
}

// The caller does not wait for ever; the worker can have another runtime.
TEST(FakeRuntimes, MayHangInSetDevice) {
    for (const auto strategy : {isolate::Strategy::copy, isolate::Strategy::process}) {
        TestWorker worker(nullptr);
        ChipWorker::Options options = fake("hangs_in_set_device");
        options.isolation.strategy = strategy;
        ch_error error = no_error();
        int asked = 0;
        EXPECT_EQ(worker.initialize(options, &error, [&] { return ++asked < 3; }), CH_INTERRUPTED);
        EXPECT_NE(std::string(error.where).find("hangs_in_set_device"), std::string::npos);
        EXPECT_EQ(asked, 3);
        EXPECT_FALSE(worker.initialized());
        EXPECT_EQ(worker.try_initialize(options_for()), "ok");
        EXPECT_EQ(run_chain(worker), "ok");
    }
}

TEST(FakeRuntimes, MayThrowInOtherVerbs) {
    static const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(1);
    TestWorker throws_in_run(fake("throws_in_run"));
    EXPECT_EQ(throws_in_run.try_run(callable, table.args()).find("INTERNAL: "), 0u);
    TestWorker throws_in_finalize(fake("throws_in_finalize"));
    ch_error error = no_error();
    EXPECT_EQ(throws_in_finalize.reset(&error), CH_INTERNAL);
    EXPECT_EQ(throws_in_finalize.try_initialize(options_for()), "ok");
    EXPECT_EQ(run_chain(throws_in_finalize), "ok");
}

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

// facts/isolation.md has no row for this, but a child made by fork() has none of its parent's threads.
TEST(Worker, BelongsToItsProcess) {
    TestWorker worker;
    ASSERT_EQ(run_chain(worker), "ok");
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        const bool refused = run_chain(worker).find("WRONG_PROCESS: worker: the worker was made in process ") == 0;
        TestWorker own;
        _exit(refused && run_chain(own) == "ok" ? 17 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 17) << status;
    EXPECT_EQ(run_chain(worker), "ok");
}

// The run holds the worker's lock, and in the child nobody gives it back.
TEST(Worker, BelongsToItsProcessAlsoDuringARun) {
    TestWorker worker;
    static const TestCallable callable("graph_from_table");
    Table table;
    table.tasks = {2, CH_AIV};
    uint32_t word = 0;
    const ch_task_args& args = table.args();
    table.log[0] = reinterpret_cast<uint64_t>(&word);
    std::thread runs([&] { EXPECT_EQ(worker.try_run(callable, args), "ok"); });
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) != 2) sched_yield();
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        ch_error error = no_error();
        const bool refused = run_chain(worker).find("WRONG_PROCESS: ") == 0 &&
                             worker.try_initialize(options_for()).find("WRONG_PROCESS: ") == 0 &&
                             worker.reset(&error) == CH_WRONG_PROCESS;
        worker.cancel();
        worker.finalize();
        _exit(refused && !worker.initialized() ? 17 : 1);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 17) << status;
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    runs.join();
}

// This holds for the locks that all workers share, too: another thread is loading a runtime at the fork.
TEST(RuntimeLibraries, LoadInAChildForkedWhileAnotherThreadLoads) {
    std::thread loads;
    {
        const tests::Gate gate;
        loads = std::thread([] {
            ChipWorker::Options options = options_for();
            options.files.host = library_path("gated");
            TestWorker worker(nullptr);
            EXPECT_EQ(worker.try_initialize(options).find("ENTRY_MISSING: "), 0u);
        });
        while (tests::mappings_of("gated") == 0) usleep(1000);
        const pid_t child = fork();
        if (child == 0) {
            alarm(20);
            TestWorker own;
            _exit(run_chain(own) == "ok" ? 17 : 1);
        }
        int status = 0;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 17) << status;
    }
    loads.join();
}

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
