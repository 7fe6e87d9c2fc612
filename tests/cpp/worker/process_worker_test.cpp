// SPDX-License-Identifier: Apache-2.0
//
// Workers whose runtime lives in a child process: the same results, and faults that stay there.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "../fake_runtimes/misbehaving_runtime.h"
#include "isolate/child/child_pool.h"
#include "temp_folder.h"
#include "test_worker.h"

namespace chiphost::worker {

using namespace tests;

namespace {

ChipWorker::Options in_a_process(const std::string& platform = "a2a3sim") {
    ChipWorker::Options options = options_for(platform);
    options.isolation.strategy = isolate::Strategy::process;
    return options;
}

ChipWorker::Options misbehaving(int32_t device_id = 0) {
    ChipWorker::Options options = in_a_process();
    options.files.host = library_path("misbehaving");
    options.device_id = device_id;
    return options;
}

// Makes the runtime do a deed; "ok" or the error.
std::string tell(TestWorker& worker, Deed deed, uint64_t number = 0, const isolate::Wait& wait = {},
                 const ch_tensor* tensors = nullptr, uint32_t tensor_count = 0) {
    static const TestCallable callable("graph_from_table");
    const uint64_t scalars[] = {static_cast<uint64_t>(deed), number};
    return worker.try_run(callable, ch_task_args{tensors, scalars, tensor_count, 2}, wait);
}

// kill(-1, ...) would kill every process.
void kill_process(pid_t process) {
    ASSERT_GT(process, 0);
    kill(process, SIGKILL);
}

bool ends_soon(pid_t process) {
    const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
    if (descriptor < 0) return errno == ESRCH;
    pollfd end{descriptor, POLLIN, 0};
    const bool ended = poll(&end, 1, 30'000) == 1;
    close(descriptor);
    return ended;
}

bool has_child_processes() {
    siginfo_t info{};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

class ProcessWorker : public testing::Test {
protected:
    ProcessWorker() {
        // The system must handle the runtime's faults, not a sanitizer.
        setenv("ASAN_OPTIONS", "detect_leaks=0:handle_segv=0:handle_abort=0", 1);
    }
    ~ProcessWorker() override {
        isolate::ChildPool::of_this_process().end_idle();
        EXPECT_FALSE(has_child_processes());
    }
    const TempFolder folder_;
};

}  // namespace

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
    const TestCallable callable("graph_from_table");
    Table table;
    table.add_chain(3);
    table.tasks.insert(table.tasks.end(), {3, CH_AIC});
    const std::string text = worker.try_run(callable, table.args());
    EXPECT_EQ(text, "KERNEL_THREW: kernel_throw_exception: kernel 3 of task 3 on core " +
                        std::to_string(worker.error.core) + " threw: the kernel's own words");
    EXPECT_EQ(worker.error.task, 3);
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

struct Fault {
    Deed deed;
    uint64_t number;
    const char* text;  // @: the child's id
    int32_t detail_code;
};

// For the test's name, which would otherwise be the bytes of it, with addresses that differ in each run.
void PrintTo(const Fault& fault, std::ostream* out) {
    *out << "deed " << static_cast<int>(fault.deed) << ' ' << fault.number;
}

class FaultInAProcess : public ProcessWorker, public testing::WithParamInterface<Fault> {};

TEST_P(FaultInAProcess, IsAnErrorAndTheWorkerGoesOn) {
    TestWorker worker(misbehaving());
    ASSERT_EQ(tell(worker, Deed::nothing), "ok");
    const pid_t child = worker.process_id();
    ASSERT_EQ(worker.result.task_count, static_cast<uint64_t>(child));
    const std::string found = tell(worker, GetParam().deed, GetParam().number);
    std::string wanted = GetParam().text;
    wanted.replace(wanted.find('@'), 1, std::to_string(child));
    EXPECT_EQ(found.substr(0, wanted.size()), wanted) << found;
    EXPECT_EQ(worker.error.detail_code, GetParam().detail_code);
    EXPECT_EQ(worker.error.task, 3);
    EXPECT_EQ(worker.error.core, 5);
    EXPECT_EQ(worker.error.func_id, 1);
    EXPECT_EQ(worker.end, ChipWorker::RunEnd::returned);
    EXPECT_FALSE(worker.poisoned());
    EXPECT_EQ(worker.process_id(), -1);
    EXPECT_TRUE(ends_soon(child));

    EXPECT_EQ(tell(worker, Deed::nothing), "ok");
    EXPECT_NE(worker.process_id(), child);
    EXPECT_EQ(worker.result.task_count, static_cast<uint64_t>(worker.process_id()));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, FaultInAProcess,
    testing::Values(
        Fault{Deed::crash, 0,
              "PROCESS_DIED: device: process @ was killed by SIGSEGV while kernel kernel_record_task (func_id 1) of "
              "task 3 on core 5 was running",
              -SIGSEGV},
        Fault{Deed::exit, 0,
              "PROCESS_DIED: device: process @ exited with code 7 while kernel kernel_record_task (func_id 1) of task "
              "3 on core 5 was running",
              7},
        Fault{
            Deed::exit_at_once, 0,
            "PROCESS_DIED: device: process @ exited with code 8 while kernel kernel_record_task (func_id 1) of task 3",
            8},
        Fault{Deed::abort, 0,
              "PROCESS_DIED: device: process @ was killed by SIGABRT while kernel kernel_record_task (func_id 1) of "
              "task 3 on core 5 was running; "
              "its last words on stderr:\nassertion failed: all is well",
              -SIGABRT},
        Fault{Deed::write_stderr_and_die, 50,
              "PROCESS_DIED: device: process @ was killed by SIGKILL while kernel kernel_record_task (func_id 1) of "
              "task 3 on core 5 was running; "
              "its last words on stderr:\n---------",
              -SIGKILL},
        Fault{Deed::write_stderr_and_die, 3 << 20,
              "PROCESS_DIED: device: process @ was killed by SIGKILL while kernel kernel_record_task (func_id 1) of "
              "task 3 on core 5 was running; "
              "its last words on stderr:\n...",
              -SIGKILL},
        Fault{
            Deed::fork_and_die, 0,
            "PROCESS_DIED: device: process @ exited with code 9 while kernel kernel_record_task (func_id 1) of task 3",
            9}),
    [](const auto& parameter) { return std::to_string(parameter.index); });

// The tail is the end of the output, also when the pipe was full at the last moment.
TEST_F(ProcessWorker, KeepsTheLastWords) {
    TestWorker worker(misbehaving());
    EXPECT_EQ(tell(worker, Deed::write_stderr, 1 << 20), "ok") << "stderr must never stop a run";
    const std::string text = tell(worker, Deed::write_stderr_and_die, 200'000);
    EXPECT_EQ(text.substr(text.size() - 14), "\nthe last line") << text;
}

// The child cannot be woken any more, and can wake nobody.
TEST_F(ProcessWorker, ReplacesAChildThatLosesItsDescriptors) {
    TestWorker worker(misbehaving());
    const pid_t child = worker.process_id();
    EXPECT_EQ(tell(worker, Deed::close_everything), "ok");
    EXPECT_TRUE(ends_soon(child));
    EXPECT_EQ(tell(worker, Deed::nothing), "ok");
}

TEST_F(ProcessWorker, StopsAHangAndGoesOn) {
    TestWorker worker(misbehaving());
    const pid_t child = worker.process_id();
    isolate::Wait wait;
    wait.timeout = std::chrono::milliseconds(50);
    EXPECT_EQ(tell(worker, Deed::hang, 0, wait),
              "DEADLINE_EXCEEDED: device: the run did not end within 0.05 s: kernel kernel_record_task (func_id 1) of "
              "task 3 on core 5 did not return; "
              "its process was ended");
    EXPECT_EQ(worker.error.task, 3);
    EXPECT_EQ(worker.error.core, 5);
    EXPECT_EQ(worker.end, ChipWorker::RunEnd::returned);
    EXPECT_FALSE(worker.poisoned());
    EXPECT_TRUE(ends_soon(child));
    EXPECT_EQ(tell(worker, Deed::nothing), "ok");
    wait.timeout = isolate::no_timeout;
    int polls = 0;
    wait.go_on = [&] { return ++polls < 2; };
    EXPECT_EQ(tell(worker, Deed::hang, 0, wait)
                  .find("INTERRUPTED: device: the run was interrupted: kernel kernel_record_task (func_id 1) of "),
              0u);
    EXPECT_EQ(tell(worker, Deed::nothing), "ok");
    ch_error error = no_error();
    EXPECT_EQ(worker.reset(&error), CH_OK);
}

TEST_F(ProcessWorker, CanBeCancelled) {
    TestWorker worker(misbehaving());
    const pid_t child = worker.process_id();
    std::atomic<bool> runs{false};
    std::thread cancels([&] {
        while (!runs) std::this_thread::yield();
        worker.cancel();
    });
    isolate::Wait wait;
    wait.go_on = [&] { return runs = true; };
    EXPECT_EQ(tell(worker, Deed::wait_for_cancel, 0, wait), "INTERRUPTED: device: stopped on request");
    cancels.join();
    wait.go_on = {};
    wait.timeout = std::chrono::milliseconds(60);
    EXPECT_EQ(tell(worker, Deed::wait_for_cancel, 0, wait),
              "DEADLINE_EXCEEDED: device: the run did not end within 0.06 s; stopped on request");
    EXPECT_EQ(tell(worker, Deed::nothing), "ok");
    EXPECT_EQ(worker.process_id(), child) << "what stops when it is asked keeps its child";
}

TEST_F(ProcessWorker, SurvivesTheDeathOfItsChild) {
    TestWorker worker(misbehaving());
    // The child is killed while nothing runs.
    const pid_t first = worker.process_id();
    ASSERT_NO_FATAL_FAILURE(kill_process(first));
    ASSERT_TRUE(ends_soon(first));
    EXPECT_EQ(tell(worker, Deed::nothing), "ok");
    // The child is killed during a run: this is noticed at once, for there is no deadline.
    const pid_t second = worker.process_id();
    EXPECT_NE(second, first);
    std::atomic<bool> runs{false};
    std::thread kills([&] {
        while (!runs) std::this_thread::yield();
        kill_process(second);
    });
    isolate::Wait wait;
    wait.go_on = [&] { return runs = true; };
    EXPECT_EQ(tell(worker, Deed::hang, 0, wait)
                  .find("PROCESS_DIED: device: process " + std::to_string(second) +
                        " was killed by SIGKILL while kernel kernel_record_task (func_id 1) of task 3 on core 5"),
              0u);
    kills.join();
    ch_error error = no_error();
    EXPECT_EQ(worker.reset(&error), CH_OK) << "there is nothing left to close";
    EXPECT_EQ(worker.try_initialize(misbehaving()), "ok");
    EXPECT_EQ(tell(worker, Deed::nothing), "ok");
}

TEST_F(ProcessWorker, ReportsFaultsOfOpeningAndClosing) {
    TestWorker worker(nullptr);
    EXPECT_NE(worker.try_initialize(misbehaving(crashes_when_opened))
                  .find("was killed by SIGSEGV while the runtime was being loaded"),
              std::string::npos);
    EXPECT_EQ(worker.error.code, CH_PROCESS_DIED);
    EXPECT_FALSE(worker.initialized());
    int polls = 0;
    EXPECT_EQ(worker.initialize(misbehaving(never_opens), &worker.error, [&] { return ++polls < 2; }), CH_INTERRUPTED);
    ASSERT_EQ(worker.try_initialize(misbehaving(never_closes)), "ok");
    EXPECT_EQ(tell(worker, Deed::nothing), "ok");
    EXPECT_EQ(worker.reset(&worker.error), CH_DEADLINE_EXCEEDED);
    EXPECT_NE(std::string(worker.error.message).find("finalize_device did not return within 5 s"), std::string::npos);
    EXPECT_FALSE(worker.initialized());
    ASSERT_EQ(worker.try_initialize(misbehaving()), "ok");
    EXPECT_EQ(tell(worker, Deed::nothing), "ok");
}

TEST_F(ProcessWorker, PassesArraysAsTheyAre) {
    TestWorker worker(misbehaving());
    const auto increment = [&](void* from, void* to, size_t bytes, ch_access access) {
        const auto size = static_cast<uint32_t>(bytes);
        const ch_tensor tensors[] = {tensor(from, CH_UINT8, {size}, CH_IN), tensor(to, CH_UINT8, {size}, access)};
        return tell(worker, Deed::increment, 0, {}, tensors, 2);
    };
    for (size_t bytes : {size_t{2}, size_t{100}, size_t{4} << 20, size_t{64} << 20, size_t{100}}) {
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

// A child in which no user's code has run is used again, another one is not; neither leaves anything here.
TEST_F(ProcessWorker, UsesAChildAgainThatHasRunNothing) {
    TestWorker worker(in_a_process());
    const pid_t child = worker.process_id();
    const auto reset = [&] {
        ASSERT_EQ(worker.reset(&worker.error), CH_OK);
        EXPECT_EQ(worker.process_id(), -1);
        ASSERT_EQ(worker.try_initialize(in_a_process()), "ok");
    };
    reset();
    const size_t descriptors = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    for (int i = 0; i < 200; ++i) {
        reset();
        ASSERT_EQ(worker.process_id(), child);
    }
    EXPECT_EQ(entries("/proc/self/fd"), descriptors);
    EXPECT_EQ(entries("/proc/self/task"), threads);

    ASSERT_EQ(run_chain(worker), "ok");
    ch_anchor_counts counts{};
    EXPECT_EQ(worker.count(&counts, &worker.error), CH_OK);
    EXPECT_GT(counts.libraries, 0u);
    reset();
    EXPECT_NE(worker.process_id(), child);
    EXPECT_EQ(run_chain(worker), "ok");
}

TEST_F(ProcessWorker, LeavesNothingOfDeadChildren) {
    TestWorker worker(misbehaving());
    ASSERT_EQ(tell(worker, Deed::leave_file), "ok");
    const size_t descriptors = entries("/proc/self/fd");
    for (int i = 0; i < (CHIPHOST_SANITIZED ? 20 : 100); ++i) {
        ASSERT_EQ(tell(worker, Deed::exit_at_once).find("PROCESS_DIED: "), 0u);
        EXPECT_EQ(entries(folder_.path().c_str()), 0u);
        ASSERT_EQ(tell(worker, Deed::leave_file), "ok");
    }
    EXPECT_EQ(entries("/proc/self/fd"), descriptors);
    EXPECT_EQ(entries(folder_.path().c_str()), 1u) << "the living child's folder only";
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

TEST_F(ProcessWorker, BelongsToItsProcess) {
    TestWorker worker(misbehaving());
    ASSERT_EQ(tell(worker, Deed::nothing), "ok");
    const pid_t child = worker.process_id();
    const pid_t forked = fork();
    if (forked == 0) {
        alarm(60);
        const bool refused = tell(worker, Deed::nothing).find("WRONG_PROCESS: ") == 0;
        worker.cancel();
        worker.finalize();
        bool own_works = false;
        {
            TestWorker own(misbehaving());
            own_works = tell(own, Deed::nothing) == "ok" && own.process_id() != child;
        }
        isolate::ChildPool::of_this_process().end_idle();
        _exit(refused && own_works && kill(child, 0) == 0 ? 17 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(forked, &status, 0), forked);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 17) << status;
    EXPECT_EQ(tell(worker, Deed::nothing), "ok");
    EXPECT_EQ(worker.process_id(), child);
}

// A parent that is killed takes its child along: one that waits, and one that hangs in a run, even if a fork of the
// parent lives on with all its descriptors.
class KilledParent : public ProcessWorker, public testing::WithParamInterface<int> {};

TEST_P(KilledParent, TakesItsChildAlong) {
    const bool hangs = GetParam() & 1, forks = GetParam() & 2;
    int ids[2];
    ASSERT_EQ(pipe2(ids, O_CLOEXEC), 0);
    const pid_t parent = fork();
    if (parent == 0) {
        TestWorker worker(misbehaving());
        if (tell(worker, Deed::leave_file) != "ok") _exit(1);
        pid_t found[2] = {worker.process_id(), -1};
        if (forks && (found[1] = fork()) == 0) {
            for (;;) pause();
        }
        isolate::Wait wait;
        bool told = false;
        wait.go_on = [&] {
            if (!told && write(ids[1], found, sizeof found) != sizeof found) _exit(1);
            return told = true;
        };
        if (hangs) tell(worker, Deed::hang, 0, wait);
        wait.go_on();
        for (;;) pause();
    }
    close(ids[1]);
    pid_t found[2];
    ASSERT_EQ(read(ids[0], found, sizeof found), static_cast<ssize_t>(sizeof found));
    close(ids[0]);
    ASSERT_GT(found[0], 0);
    ASSERT_EQ(kill(found[0], 0), 0);
    EXPECT_FALSE(folder_.empty());
    ASSERT_NO_FATAL_FAILURE(kill_process(parent));
    int status = 0;
    ASSERT_EQ(waitpid(parent, &status, 0), parent);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_TRUE(ends_soon(found[0]));
    EXPECT_TRUE(folder_.empty());
    if (forks) kill_process(found[1]);
}

INSTANTIATE_TEST_SUITE_P(WhateverHappens, KilledParent, testing::Range(0, 4));

}  // namespace chiphost::worker
