// SPDX-License-Identifier: Apache-2.0
//
// Orchestrations on the AICPU: rings that go round, and libraries that come and go. With ThreadSanitizer a missing edge
// shows as a race between two kernels.
#include <chrono>
#include <set>
#include <thread>

#include "device_program.h"
#include "temp_folder.h"

namespace chiphost::worker {

using namespace tests;
using Callable = DeviceCallable;
using Worker = DeviceWorker;

namespace {

// Files of the orchestrations that are loaded now.
std::set<std::string> mapped_orchestrations() {
    std::ifstream maps("/proc/self/maps");
    std::set<std::string> names;
    for (std::string line; std::getline(maps, line);) {
        if (const size_t at = line.find("/chiphost-orch-"); at != std::string::npos) names.insert(line.substr(at));
    }
    return names;
}

}  // namespace

// A ring that goes round many times, with everything it gives back in use.
TEST(Orchestrator, GoesRoundSmallRings) {
    const Callable callable;
    Worker worker;
    worker.config.ring_task_window = 4;
    worker.config.ring_heap_bytes = 2048;
    worker.config.ring_dep_pool = 4;
    for (const uint32_t sim_threads : {1u, 3u}) {
        for (const uint32_t threads : {1u, 4u}) {
            worker.config.sim_threads = sim_threads;
            worker.config.aicpu_thread_num = threads;
            Operations operations;
            operations.data.assign(16, 1);
            for (int i = 0; i < 500; ++i) {
                operations.add(begin, CH_SCOPE_AUTO);
                operations.add(make, i % 8, 8);
                operations.add(use, (i * 3) % 12, 4);
                operations.add(end);
            }
            const std::vector<int64_t> expected = operations.result();
            ASSERT_EQ(worker.run_operations(operations, callable), "ok");
            ASSERT_EQ(operations.data, expected);
            ASSERT_EQ(worker.result.task_count, 1000u);
        }
    }
}

// Orchestrations come and go, some fail half-way; nothing is left of them except things that are kept on purpose.
TEST(Orchestrator, LoadsAndForgetsLibraries) {
    const TempFolder folder;  // which must be empty at its end
    std::vector<std::unique_ptr<Callable>> callables;
    for (int i = 0; i < 12; ++i) callables.push_back(std::make_unique<Callable>("key" + std::to_string(i)));
    Worker worker;
    const auto good = [&](size_t which) {
        Operations operations;
        operations.data.assign(8, 2);
        operations.add(mix, 0, 0, 4, 4, 4);
        const auto expected = operations.result();
        ASSERT_EQ(worker.run_operations(operations, *callables[which]), "ok");
        ASSERT_EQ(operations.data, expected);
    };
    const auto bad = [&](size_t which, Operation how, const std::string& wanted) {
        Operations operations;
        operations.data.assign(8, 2);
        for (int i = 0; i < 20; ++i) operations.add(mix, i % 2, 0, 4, 4, 4);
        operations.add(how, 5);
        for (int i = 0; i < 20; ++i) operations.add(mix, i % 2, 0, 4, 4, 4);
        const std::string text = worker.run_operations(operations, *callables[which]);
        ASSERT_EQ(text.rfind(wanted, 0), 0u) << text;
    };
    for (uint32_t threads : {1u, 3u}) {
        worker.config.aicpu_thread_num = threads;
        for (size_t i = 0; i < callables.size(); ++i) ASSERT_NO_FATAL_FAILURE(good(i));
        ASSERT_NO_FATAL_FAILURE(bad(3, fail, "ORCHESTRATION_FATAL: build_graph: the program says so"));
        ASSERT_NO_FATAL_FAILURE(good(4));
        ASSERT_NO_FATAL_FAILURE(bad(4, raise, "ORCHESTRATION_THREW: build_graph: the program throws"));
        ASSERT_NO_FATAL_FAILURE(good(3));
        ASSERT_NO_FATAL_FAILURE(bad(5, end, "TASK_INVALID: scope_end: there is no open scope"));
        ASSERT_NO_FATAL_FAILURE(bad(5, begin, "TASK_INVALID: scope_begin: wanted mode"));
        ASSERT_NO_FATAL_FAILURE(good(5));
        worker.config.seed += 77;
    }
    worker.finalize();
}

class TwoOrchestrations : public testing::TestWithParam<const char*> {};

// One orchestration runs, then another that has nothing in common with it and stops half-way, then the first again,
// also with the other one's library gone from the process. A pointer that still led into it would be a fault here, and
// AddressSanitizer would see it.
TEST_P(TwoOrchestrations, LeaveNothingOfEachOther) {
    const Callable first("first"), second("second", "add_rows_then_stop");
    std::vector<std::unique_ptr<Callable>> fillers;  // enough to push everything else out
    for (int i = 0; i < 8; ++i) fillers.push_back(std::make_unique<Callable>("filler " + std::to_string(i)));
    Worker worker("a2a3sim", GetParam());
    const auto run_first = [&](const Callable& callable) {
        Operations operations;
        operations.data.assign(8, 2);
        operations.add(begin, CH_SCOPE_MANUAL);
        operations.add(mix, 0, 0, 4, 4, 4);
        operations.add(end);
        const auto expected = operations.result();
        ASSERT_EQ(worker.run_operations(operations, callable), "ok");
        ASSERT_EQ(operations.data, expected);
    };
    const auto run_second = [&](int32_t what) {
        std::vector<int32_t> words{what};
        std::vector<int64_t> data(8, 2);
        return worker.run_on(words, 1, data, second);
    };
    const auto begin_anew = [&] {
        ch_error error = no_error();
        ASSERT_EQ(worker.reset(&error), CH_OK);
        ASSERT_EQ(mapped_orchestrations().size(), 0u) << "reset unloads every orchestration";
        worker.start("a2a3sim", GetParam());
    };
    const char* const answers[] = {
        "ok", "ORCHESTRATION_FATAL: build_graph: half-way, with words that are longer than a string keeps in itself",
        "ORCHESTRATION_THREW: build_graph: half-way, with words that are longer than a string keeps in itself",
        "ORCHESTRATION_FAILED: build_graph: returned 88",
        "ORCHESTRATION_THREW: build_graph: half-way, with words that are longer than a string keeps in itself"};
    for (const uint32_t sim_threads : {1u, 3u}) {
        worker.config.sim_threads = sim_threads;
        for (int32_t what = 0; what < 5; ++what) {
            SCOPED_TRACE("second orchestration: " + std::to_string(what));
            ASSERT_NO_FATAL_FAILURE(run_first(first));
            const std::set<std::string> before = mapped_orchestrations();
            ASSERT_EQ(before.size(), 1u);
            ASSERT_EQ(run_second(what), answers[what]);
            const std::string kept = tests::text_of(worker.error);
            std::set<std::string> of_second = mapped_orchestrations();
            for (const std::string& name : before) of_second.erase(name);
            ASSERT_EQ(of_second.size(), 1u);
            ASSERT_NO_FATAL_FAILURE(run_first(first));

            // Eight others, and the library is gone; what was said about it is not.
            for (const auto& filler : fillers) ASSERT_NO_FATAL_FAILURE(run_first(*filler));
            ASSERT_EQ(mapped_orchestrations().count(*of_second.begin()), 0u);
            EXPECT_EQ(tests::text_of(worker.error).find("OK"), 0u);
            EXPECT_TRUE(what == 0 || kept == answers[what]) << kept;
            ASSERT_NO_FATAL_FAILURE(run_first(first));

            // The report of a stall describes all tasks, queues and scopes. None of them is the other orchestration's.
            Operations stalled;
            stalled.data.assign(8, 2);
            stalled.add(begin, CH_SCOPE_MANUAL);
            stalled.add(stall);
            stalled.add(end);
            const std::string text = worker.run_operations(stalled, first);
            ASSERT_EQ(text.find("STALLED: "), 0u) << text;
            ASSERT_EQ(text.find("half-way"), std::string::npos) << text;
            ASSERT_NO_FATAL_FAILURE(begin_anew());

            // The failure is the first and the last event of a context.
            ASSERT_EQ(run_second(what), answers[what]);
            ASSERT_NO_FATAL_FAILURE(begin_anew());
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Runtimes, TwoOrchestrations, testing::Values("aicpu_build_graph", "tensormap_and_ringbuffer"),
                         [](const auto& parameter) { return std::string(parameter.param); });

// A library whose bytes are broken, or which lacks a symbol that is wanted.
TEST(Orchestrator, RefusesBrokenLibraries) {
    Worker worker;
    Operations operations;
    operations.data.assign(8, 2);
    Callable callable("broken");
    callable.raw.entry = "no_such_function";
    EXPECT_EQ(worker.run_operations(operations, callable),
              "ENTRY_MISSING: orchestration_device_program_from_table: wanted the function no_such_function");
    Callable half("half");
    half.raw.orchestration.bytes = 4200;
    EXPECT_EQ(worker.run_operations(operations, half).rfind("FILE_TRUNCATED", 0), 0u) << text_of(worker.error);
    Callable other("other kind");
    const Binary host("orchestration_graph_from_table");
    other.raw.orchestration = host.raw();
    EXPECT_EQ(worker.run_operations(operations, other).rfind("ABI_MISMATCH", 0), 0u) << text_of(worker.error);
    const Callable good;
    EXPECT_EQ(worker.run_operations(operations, good), "ok");
}

// The run is cut off in the middle: the orchestration waits for a slot that a hanging task holds, and is made to
// return.
TEST(Orchestrator, ReturnsWhenTheRunIsStopped) {
    const Callable callable;
    Worker worker;
    worker.config.ring_task_window = 4;
    Operations operations;
    operations.data.assign(8, 2);
    for (int i = 0; i < 100000; ++i) {
        operations.add(begin, CH_SCOPE_AUTO);
        operations.add(mix, i % 2, 0, 4, 4, 4);
        operations.add(end);
    }
    std::thread stopper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        worker.cancel();
    });
    const std::string text = worker.run_operations(operations, callable);
    stopper.join();
    // The machine may be so slow that nothing had begun, or so fast that all was done.
    EXPECT_TRUE(text == "ok" || text.find("DEADLINE_EXCEEDED") == 0 || text.find("INTERRUPTED") == 0) << text;
    Operations again;
    again.data.assign(8, 2);
    again.add(mix, 0, 0, 4, 4, 4);
    const auto expected = again.result();
    ASSERT_EQ(worker.run_operations(again, callable), "ok");
    ASSERT_EQ(again.data, expected);
}

}  // namespace chiphost::worker
