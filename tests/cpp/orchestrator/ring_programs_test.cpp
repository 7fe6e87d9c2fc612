// SPDX-License-Identifier: Apache-2.0
//
// The promises of the rings, on the real programs of tensormap_and_ringbuffer: under many schedules the same answer.
#include <atomic>
#include <chrono>
#include <thread>

#include "test_files.h"
#include "worker/chip_worker.h"

namespace chiphost::worker {

using tests::Binary;
using tests::text_of;

namespace {

constexpr isolate::Strategy strategy = CHIPHOST_SANITIZED ? isolate::Strategy::copy : isolate::Strategy::link_namespace;

class Callable {
public:
    explicit Callable(const char* orchestration = "orchestration_ring_programs",
                      const char* nothing = "kernel_ring_nothing")
        : key_(std::string(orchestration) + nothing),
          orchestration_(orchestration),
          nothing_(nothing),
          fill_("kernel_ring_fill"),
          copy_("kernel_ring_copy"),
          kernels_{{0, CH_AIV, nothing_.raw()}, {1, CH_AIV, fill_.raw()}, {2, CH_AIV, copy_.raw()}} {
        raw.format = CH_CALLABLE_FORMAT;
        raw.kernel_count = 3;
        raw.key = key_.c_str();
        raw.orchestration = orchestration_.raw();
        raw.entry = "build_graph";
        raw.kernels = kernels_;
    }
    ch_callable raw{};

private:
    std::string key_;
    Binary orchestration_, nothing_, fill_, copy_;
    ch_kernel kernels_[3];
};

class Worker : public ChipWorker {
public:
    explicit Worker(const std::string& runtime = "tensormap_and_ringbuffer") {
        const std::string folder = std::string(CHIPHOST_LIB) + "/a2a3sim/" + runtime + "/";
        Options options;
        options.files = {folder + "host.so", folder + "aicpu.so", folder + "aicore.so"};
        options.platform = "a2a3sim";
        options.anchor_path = CHIPHOST_ANCHOR;
        options.isolation.strategy = strategy;
        EXPECT_EQ(initialize(options, &error), CH_OK) << text_of(error);
    }

    // "ok" or the error.
    std::string run_program(int64_t number, const Callable& callable) {
        ch_tensor tensor{};
        tensor.data = reinterpret_cast<uint64_t>(data);
        tensor.ndims = 1;
        tensor.shape[0] = 8;
        tensor.dtype = CH_INT64;
        tensor.access = CH_INOUT;
        const auto scalar = static_cast<uint64_t>(number);
        const ch_task_args args{&tensor, &scalar, 1, 1};
        std::vector<ch_trace_event> trace;
        RunEnd how = RunEnd::returned;
        error = no_error();
        return run(callable.raw, args, config, wait, &result, &trace, &how, &error) == CH_OK ? "ok" : text_of(error);
    }

    int64_t data[8] = {};
    ch_call_config config{sizeof(ch_call_config), 3, 3, 1, 1, 0, 0, 64, 64, 16384};
    isolate::Wait wait;
    ch_run_result result{};
    ch_error error = no_error();
};

}  // namespace

TEST(RingPrograms, FitOrNotWhateverIsFast) {
    Callable callable;
    Worker worker;
    for (const uint32_t threads : {1, 2}) {
        worker.config.sim_threads = threads;
        for (uint64_t seed = 0; seed < 32; ++seed) {
            worker.config.seed = seed;
            EXPECT_EQ(worker.run_program(0, callable), "ok") << "seed " << seed << ", threads " << threads;
            EXPECT_EQ(worker.run_program(1, callable).find("HEAP_DEADLOCK: "), 0u) << "seed " << seed;
        }
    }
}

// Producers that will complete are waited for, however few edges there are.
TEST(RingPrograms, WaitForProducersWhenEdgesAreFew) {
    Callable callable;
    Worker worker;
    worker.config.ring_dep_pool = 4;
    for (const uint32_t threads : {1, 2}) {
        worker.config.sim_threads = threads;
        for (uint64_t seed = 0; seed < 32; ++seed) {
            worker.config.seed = seed;
            EXPECT_EQ(worker.run_program(2, callable), "ok") << "seed " << seed << ", threads " << threads;
        }
    }
}

// A warm run waits for nobody's constructor.
TEST(RingPrograms, AreWarmWhileAnotherWorkerLoads) {
    Callable good, slow("orchestration_ring_programs", "kernel_ring_gated");
    Worker warm, other;
    ASSERT_EQ(warm.run_program(0, good), "ok");
    std::thread loads;
    {
        const tests::Gate gate;
        loads = std::thread([&] { EXPECT_EQ(other.run_program(0, slow), "ok"); });
        while (tests::mappings_of("kernel_ring_gated") == 0) usleep(1000);
        warm.wait.timeout = std::chrono::seconds(20);
        EXPECT_EQ(warm.run_program(0, good), "ok");
        EXPECT_FALSE(warm.poisoned());
    }
    loads.join();
}

// Memory that no kernel wrote has the same bytes in every run, not the last run's result.
TEST(RingPrograms, SeeNothingOfTheRunBefore) {
    Callable callable;
    Worker worker;
    for (const int64_t program : {4, 3, 4}) {
        worker.data[0] = 0;
        ASSERT_EQ(worker.run_program(program, callable), "ok");
        EXPECT_EQ(worker.data[0], program == 3 ? 42 : -1);
    }
}

// The calls of an orchestration that never returns end it, even if it drops their exceptions.
TEST(RingPrograms, EndWhenTheRunIsOver) {
    Callable callable;
    for (const uint32_t threads : {1, 2}) {
        for (const uint32_t aicpu_threads : {1, 3}) {
            Worker worker;
            worker.config.sim_threads = threads;
            worker.config.aicpu_thread_num = aicpu_threads;
            for (const int64_t program : {5, 6, 7}) {
                worker.wait.timeout = std::chrono::milliseconds(100);
                const std::string text = worker.run_program(program, callable);
                EXPECT_EQ(text.find("DEADLINE_EXCEEDED: "), 0u) << text;
                EXPECT_EQ(text.find("the orchestration did not return") != std::string::npos, program == 7) << text;
                EXPECT_FALSE(worker.poisoned()) << text;
                worker.wait.timeout = std::chrono::seconds(20);
                EXPECT_EQ(worker.run_program(0, callable), "ok");
            }
        }
    }
}

// The error stays the first one.
TEST(RingPrograms, EndWhenTheRunHasFailed) {
    Callable callable;
    Worker worker;
    worker.wait.timeout = std::chrono::seconds(20);
    for (int round = 0; round < 3; ++round) {
        const std::string text = worker.run_program(9, callable);
        EXPECT_EQ(text.find("TASK_INVALID: submit #0: the task has no kernel"), 0u) << text;
        EXPECT_NE(text.find("the orchestration did not return"), std::string::npos) << text;
        EXPECT_EQ(worker.run_program(0, callable), "ok");
    }
}

// Kernels that wait for a tile and drop the exception end, too.
TEST(RingPrograms, EndKernelsThatWaitForEver) {
    Callable waits("orchestration_ring_programs", "kernel_ring_never_gives_up"), callable;
    Worker worker;
    worker.wait.timeout = std::chrono::seconds(20);
    for (int round = 0; round < 3; ++round) {
        const std::string text = worker.run_program(8, waits);
        EXPECT_EQ(text.find("STALLED: "), 0u) << text;
        EXPECT_NE(text.find("kernel `kernel_ring_never_gives_up` of submit #0 on core"), std::string::npos) << text;
        EXPECT_EQ(worker.run_program(3, callable), "ok");
    }
}

// The number of times that a wait may throw is counted for each launch.
TEST(RingPrograms, ForgiveAKernelThatGivesUpInTheEnd) {
    Callable late("orchestration_ring_programs", "kernel_ring_gives_up_late");
    Worker worker;
    worker.wait.timeout = std::chrono::seconds(60);
    for (int round = 0; round < 4; ++round) {
        const std::string text = worker.run_program(8, late);
        EXPECT_EQ(text.find("STALLED: "), 0u) << text;
        EXPECT_EQ(text.find("left behind"), std::string::npos) << "round " << round << ": " << text;
    }
}

// The orchestration waits for the tasks that use the very element, however the tensor is turned.
TEST(RingPrograms, ReadAndWriteElementsInTheirTurn) {
    Callable callable;
    Worker worker;
    for (const uint32_t threads : {1, 2}) {
        worker.config.sim_threads = threads;
        for (uint64_t seed = 0; seed < 16; ++seed) {
            SCOPED_TRACE("seed " + std::to_string(seed) + ", threads " + std::to_string(threads));
            worker.config.seed = seed;
            worker.data[7] = 0;
            ASSERT_EQ(worker.run_program(10, callable), "ok");
            EXPECT_EQ(worker.data[7], 20) << "the last value of row 1, column 0";
            EXPECT_EQ(worker.data[1], 77);
            worker.data[0] = 5;
            ASSERT_EQ(worker.run_program(11, callable), "ok");
            EXPECT_EQ(worker.data[0], 99);
            EXPECT_EQ(worker.data[2], 5) << "the late reader";
            EXPECT_EQ(worker.data[3], 5);
        }
    }
}

// A deadline is for the whole call, which may have to wait for another thread's run first.
TEST(RingPrograms, EndAtTheDeadlineOfTheCall) {
    Callable callable;
    Worker worker;
    const auto run_for_ever = [&](isolate::Timeout timeout, std::atomic<bool>* out_begun) {
        ch_tensor tensor{};
        int64_t data[8] = {};
        tensor.data = reinterpret_cast<uint64_t>(data);
        tensor.ndims = 1;
        tensor.shape[0] = 8;
        tensor.dtype = CH_INT64;
        tensor.access = CH_INOUT;
        const uint64_t scalar = 5;
        const ch_task_args args{&tensor, &scalar, 1, 1};
        isolate::Wait wait;
        wait.timeout = timeout;
        wait.go_on = [&] { return *out_begun = true; };
        ch_run_result result{};
        auto end = Worker::RunEnd::returned;
        ch_error error = no_error();
        const uint64_t start_ns = ch_monotonic_ns();
        static_cast<void>(worker.run(callable.raw, args, worker.config, wait, &result, nullptr, &end, &error));
        EXPECT_EQ(error.code, CH_DEADLINE_EXCEEDED) << text_of(error);
        return ch_monotonic_ns() - start_ns;
    };
    std::atomic<bool> first_runs{false}, second_waits{false};
    constexpr uint64_t first_ns = 5'000'000'000, second_ns = 6'000'000'000;
    uint64_t first_took_ns = 0;
    std::thread first([&] { first_took_ns = run_for_ever(isolate::Timeout(first_ns), &first_runs); });
    while (!first_runs) usleep(1000);
    const uint64_t second_took_ns = run_for_ever(isolate::Timeout(second_ns), &second_waits);
    first.join();
    EXPECT_GE(second_took_ns, second_ns);
    // It would take this long if the time were counted from when the call had the worker. A busy machine has seconds to
    // be late.
    EXPECT_LT(second_took_ns, first_ns + second_ns - 500'000'000);
}

// A constructor that throws is an error of its library, more than once, and no error of others.
TEST(RingPrograms, NameALibraryThatThrowsWhenItIsLoaded) {
    Callable good;
    Worker worker;
    for (int round = 0; round < 3; ++round) {
        const std::string orchestration = worker.run_program(0, Callable("orchestration_ring_throws"));
        EXPECT_EQ(orchestration,
                  "LOAD_REFUSED: orchestration_ring_throws: a constructor of a static variable threw: "
                  "what the constructor says");
        const std::string kernel = worker.run_program(0, Callable("orchestration_ring_programs", "kernel_ring_throws"));
        EXPECT_EQ(kernel.find("LOAD_REFUSED: kernel_ring_throws: "), 0u) << kernel;
        EXPECT_EQ(worker.run_program(0, good), "ok");
    }
}

TEST(RingPrograms, RefuseUniqueSymbols) {
    Worker worker;
    const std::string text = worker.run_program(0, Callable("orchestration_ring_unique"));
    EXPECT_EQ(text.find("UNIQUE_SYMBOL: "), 0u) << text;
}

}  // namespace chiphost::worker
