// SPDX-License-Identifier: Apache-2.0
//
// Runs that do not end, or not in time, and calls that wait for them.
#include <atomic>
#include <chrono>
#include <regex>
#include <thread>

#include "held_run.h"
#include "test_worker.h"

namespace chiphost::worker {

using namespace tests;

// A kernel that never returns ends the run at its deadline and poisons this worker only.
class HangingKernel : public testing::TestWithParam<uint32_t> {};

TEST_P(HangingKernel, PoisonsItsWorkerOnly) {
    TestWorker* const worker = keep_for_ever(new TestWorker);
    worker->config.sim_threads = GetParam();
    TestWorker other;
    HeldRun* const held = keep_for_ever(new HeldRun);
    isolate::Wait wait;
    wait.timeout = std::chrono::milliseconds(50);
    const std::string text = held->try_run(*worker, wait);
    EXPECT_EQ(worker->end, ChipWorker::RunEnd::abandoned);
    EXPECT_EQ(text.find("DEADLINE_EXCEEDED: device: the run did not end within 0.05 s: kernel "
                        "`kernel_wait_for_word` of submit #0 on core "),
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
    held->let_go();
    // The kernel now writes to the log and the thread ends its call by itself; it must not write to the arrays that
    // were taken away from it.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(held->table.log[0], held->address_of_word());
    EXPECT_EQ(held->table.log[1], 0u);
}

// It is given up half a second after the deadline, or soon after: a run that can be stopped has that long to stop.
TEST_P(HangingKernel, IsGivenUpInTime) {
    TestWorker* const worker = keep_for_ever(new TestWorker);
    worker->config.sim_threads = GetParam();
    HeldRun* const held = keep_for_ever(new HeldRun);
    isolate::Wait wait;
    wait.timeout = std::chrono::milliseconds(50);
    const uint64_t start_ns = ch_monotonic_ns();
    held->try_run(*worker, wait);
    const uint64_t took_ns = ch_monotonic_ns() - start_ns;
    EXPECT_EQ(worker->end, ChipWorker::RunEnd::abandoned);
    EXPECT_GE(took_ns, 550'000'000u);
    EXPECT_LT(took_ns, 45'000'000'000u);
    worker->finalize();
    held->let_go();
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
    EXPECT_TRUE(std::regex_match(
        text,
        std::regex("INTERRUPTED: the orchestration: the run was interrupted: the orchestration"
                   "( at \\[orchestration\\+0x[0-9a-f]+(,0x[0-9a-f]+)*\\])? did not return; this worker cannot be "
                   "used again")))
        << text;
    EXPECT_EQ(worker->end, ChipWorker::RunEnd::abandoned);
    worker->finalize();
    __atomic_store_n(output, 1, __ATOMIC_RELEASE);
    // The orchestration returns now, and its output would be copied out if it had not been taken away.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(__atomic_load_n(output, __ATOMIC_ACQUIRE), 1);
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

// Calls that wait for another thread's run may give up, by go_on or by their timeout, and then have done nothing.
TEST(Worker, LetsAWaitingCallGiveUp) {
    TestWorker* const worker = keep_for_ever(new TestWorker);
    HeldRun* const held = keep_for_ever(new HeldRun);
    std::atomic<bool> runs{false};
    std::string text;
    std::thread hanging([&] {
        isolate::Wait wait;
        wait.go_on = [&] { return runs = true; };
        text = held->try_run(*worker, wait);
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
    EXPECT_EQ(worker->run(held->callable.raw, held->table.raw, config, wait, &result, nullptr, &end, &error),
              CH_DEADLINE_EXCEEDED);
    EXPECT_EQ(text_of(error),
              "DEADLINE_EXCEEDED: worker: the run did not begin within 0.06 s: another thread's run had the worker");
    EXPECT_TRUE(worker->initialized());
    EXPECT_FALSE(worker->poisoned());

    // A call that waits on gets its turn.
    std::thread closing([&] { worker->finalize(); });
    held->let_go();
    hanging.join();
    closing.join();
    EXPECT_EQ(text, "ok");
    EXPECT_FALSE(worker->initialized());
}

}  // namespace chiphost::worker
