// SPDX-License-Identifier: Apache-2.0
//
// Faults of a runtime that lives in a child process: they stay there, and the worker goes on.
#include <signal.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "process_worker.h"

namespace chiphost::worker {

using namespace tests;

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
              "PROCESS_DIED: device: process @ was killed by SIGSEGV while kernel `kernel_record_task` of "
              "submit #3 on core 5 was running",
              -SIGSEGV},
        Fault{Deed::exit, 0,
              "PROCESS_DIED: device: process @ exited with code 7 while kernel `kernel_record_task` of submit #"
              "3 on core 5 was running",
              7},
        Fault{Deed::exit_at_once, 0,
              "PROCESS_DIED: device: process @ exited with code 8 while kernel `kernel_record_task` of submit #3", 8},
        Fault{Deed::abort, 0,
              "PROCESS_DIED: device: process @ was killed by SIGABRT while kernel `kernel_record_task` of "
              "submit #3 on core 5 was running; "
              "its last words on stderr:\nassertion failed: all is well",
              -SIGABRT},
        Fault{Deed::write_stderr_and_die, 50,
              "PROCESS_DIED: device: process @ was killed by SIGKILL while kernel `kernel_record_task` of "
              "submit #3 on core 5 was running; "
              "its last words on stderr:\n---------",
              -SIGKILL},
        Fault{Deed::write_stderr_and_die, 3 << 20,
              "PROCESS_DIED: device: process @ was killed by SIGKILL while kernel `kernel_record_task` of "
              "submit #3 on core 5 was running; "
              "its last words on stderr:\n...",
              -SIGKILL},
        Fault{Deed::fork_and_die, 0,
              "PROCESS_DIED: device: process @ exited with code 9 while kernel `kernel_record_task` of submit #3", 9}),
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
              "DEADLINE_EXCEEDED: device: the run did not end within 0.05 s: kernel `kernel_record_task` of "
              "submit #3 on core 5 did not return; "
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
                  .find("INTERRUPTED: device: the run was interrupted: kernel `kernel_record_task` of "),
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
                        " was killed by SIGKILL while kernel `kernel_record_task` of submit #3 on core 5"),
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

}  // namespace chiphost::worker
