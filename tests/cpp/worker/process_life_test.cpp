// SPDX-License-Identifier: Apache-2.0
//
// The child processes of workers: when one is used again, and what is left of them.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forked_child.h"
#include "process_worker.h"

namespace chiphost::worker {

using namespace tests;

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

TEST_F(ProcessWorker, BelongsToItsProcess) {
    TestWorker worker(misbehaving());
    ASSERT_EQ(tell(worker, Deed::nothing), "ok");
    const pid_t child = worker.process_id();
    EXPECT_TRUE(holds_in_a_fork(60, [&] {
        const bool refused = tell(worker, Deed::nothing).find("WRONG_PROCESS: ") == 0;
        worker.cancel();
        worker.finalize();
        bool own_works = false;
        {
            TestWorker own(misbehaving());
            own_works = tell(own, Deed::nothing) == "ok" && own.process_id() != child;
        }
        isolate::ChildPool::of_this_process().end_idle();
        return refused && own_works && kill(child, 0) == 0;
    }));
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
