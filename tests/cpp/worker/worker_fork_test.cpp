// SPDX-License-Identifier: Apache-2.0
//
// Workers in a process that a fork has made.
#include <unistd.h>

#include <thread>

#include "forked_child.h"
#include "held_run.h"
#include "test_worker.h"

namespace chiphost::worker {

using namespace tests;

// facts/isolation.md has no row for this, but a child made by fork() has none of its parent's threads.
TEST(Worker, BelongsToItsProcess) {
    TestWorker worker;
    ASSERT_EQ(run_chain(worker), "ok");
    EXPECT_TRUE(holds_in_a_fork(60, [&] {
        const bool refused = run_chain(worker).find("WRONG_PROCESS: worker: the worker was made in process ") == 0;
        TestWorker own;
        return refused && run_chain(own) == "ok";
    }));
    EXPECT_EQ(run_chain(worker), "ok");
}

// The run holds the worker's lock, and in the child nobody gives it back.
TEST(Worker, BelongsToItsProcessAlsoDuringARun) {
    TestWorker worker;
    HeldRun held;
    std::thread runs([&] { EXPECT_EQ(held.try_run(worker), "ok"); });
    held.await_kernel();
    EXPECT_TRUE(holds_in_a_fork(20, [&] {
        ch_error error = no_error();
        const bool refused = run_chain(worker).find("WRONG_PROCESS: ") == 0 &&
                             worker.try_initialize(options_for()).find("WRONG_PROCESS: ") == 0 &&
                             worker.reset(&error) == CH_WRONG_PROCESS;
        worker.cancel();
        worker.finalize();
        return refused && !worker.initialized();
    }));
    held.let_go();
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
        EXPECT_TRUE(holds_in_a_fork(20, [] {
            TestWorker own;
            return run_chain(own) == "ok";
        }));
    }
    loads.join();
}

}  // namespace chiphost::worker
