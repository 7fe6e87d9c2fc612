// SPDX-License-Identifier: Apache-2.0
//
// Rules that hold for every runtime on every chip, one after the other and all at once.
#include <memory>
#include <random>
#include <thread>

#include "device_program.h"
#include "random_seed.h"
#include "test_worker.h"

namespace chiphost::worker {

using tests::DeviceCallable;
using tests::DeviceWorker;
using tests::Operations;
using tests::RandomOperations;
using tests::tensor;
using tests::TestCallable;

namespace {

struct Pair {
    const char* platform;
    const char* runtime;

    bool on_host() const { return std::string(runtime) == "host_build_graph"; }
    bool infers() const { return std::string(runtime) == "tensormap_and_ringbuffer"; }
};

constexpr Pair pairs[] = {{"a2a3sim", "host_build_graph"},         {"a5sim", "host_build_graph"},
                          {"a2a3sim", "aicpu_build_graph"},        {"a5sim", "aicpu_build_graph"},
                          {"a2a3sim", "tensormap_and_ringbuffer"}, {"a5sim", "tensormap_and_ringbuffer"}};

// All callables; they are only read, by any number of threads.
struct Callables {
    const TestCallable graph{"graph_from_table"}, misbehave{"misbehave"};
    const DeviceCallable from_table, other{"add_rows_then_stop", "add_rows_then_stop"};
};

// A worker that may be on any runtime. It returns "ok" or an error's words, so that any thread may use one.
class AnyWorker {
public:
    AnyWorker(std::mt19937& random, const Callables& callables)
        : random_(random), callables_(callables), worker_(pairs[4].platform, pairs[4].runtime), pair_(&pairs[4]) {}

    const Pair* pair() const { return pair_; }

    std::string reset() {
        ch_error error = no_error();
        pair_ = nullptr;
        return worker_.reset(&error) == CH_OK ? "ok" : "reset: " + tests::text_of(error);
    }

    std::string initialize(const Pair& pair) {
        ch_error error = no_error();
        const int32_t code = worker_.initialize(tests::options_of(pair.platform, pair.runtime), &error);
        if (pair_) return code == CH_ALREADY_INITIALIZED ? "ok" : "a second init: " + tests::text_of(error);
        if (code != CH_OK) return tests::text_of(error);
        pair_ = &pair;
        return "ok";
    }

    std::string run() {
        worker_.vary_config(random_);
        if (!pair_ || pair_->on_host()) return run_graph();
        Operations operations = make_operations();
        const std::vector<int64_t> expected = operations.result();
        const std::string text = worker_.run_operations(operations, callables_.from_table);
        return text != "ok" ? text : operations.data == expected ? "ok" : "wrong numbers";
    }

    // A run that must fail, in one of several ways, with this worker usable afterwards.
    std::string fail() {
        worker_.vary_config(random_);
        if (!pair_) return "ok";
        if (pair_->on_host()) {
            static constexpr struct {
                int32_t what;
                int32_t code;
            } faults[] = {{1, CH_ORCHESTRATION_FAILED},
                          {2, CH_ORCHESTRATION_THREW},
                          {5, CH_KERNEL_MISSING},
                          {10, CH_GRAPH_CYCLE},
                          {16, CH_ORCHESTRATION_THREW}};
            const auto& fault = faults[random_() % std::size(faults)];
            int32_t out[4] = {};
            const ch_tensor tensors[] = {tensor(out, CH_INT32, {4}, CH_OUT)};
            const uint64_t what = static_cast<uint64_t>(fault.what);
            return expect(fault.code, run_raw(callables_.misbehave.raw, {tensors, &what, 1, 1}));
        }
        if (random_() % 2) {
            static constexpr int32_t codes[] = {CH_ORCHESTRATION_FATAL, CH_ORCHESTRATION_THREW, CH_ORCHESTRATION_FAILED,
                                                CH_ORCHESTRATION_THREW};
            const uint32_t how = random_() % 4;
            std::vector<int32_t> what{static_cast<int32_t>(how + 1)};
            std::vector<int64_t> data(8, 2);
            return expect(codes[how], worker_.run_on(what, 1, data, callables_.other));
        }
        static constexpr struct {
            tests::Operation how;
            int32_t code;
        } faults[] = {{tests::fail, CH_ORCHESTRATION_FATAL},
                      {tests::raise, CH_ORCHESTRATION_THREW},
                      {tests::end, CH_TASK_INVALID},
                      {tests::stall, CH_STALLED}};
        const auto& fault = faults[random_() % std::size(faults)];
        Operations operations = make_operations();
        operations.add(fault.how, 5);
        return expect(fault.code, worker_.run_operations(operations, callables_.from_table));
    }

private:
    Operations make_operations() {
        Operations operations = RandomOperations(random_, pair_->infers()).make_one();
        if (operations.names_edges()) worker_.config.ring_task_window = 64;
        return operations;
    }

    std::string expect(int32_t code, const std::string& text) {
        return text.rfind(code_name(code), 0) == 0 ? "ok" : std::string("wanted ") + code_name(code) + ": " + text;
    }

    std::string run_raw(const ch_callable& callable, const ch_task_args& args) {
        ch_error error = no_error();
        auto how = ChipWorker::RunEnd::returned;
        const int32_t code = worker_.run(callable, args, worker_.config, {}, &worker_.result, nullptr, &how, &error);
        return code == CH_OK ? "ok" : tests::text_of(error);
    }

    // A graph of tasks that note when they ran. Without a runtime it must be refused.
    std::string run_graph() {
        const uint32_t count = 1 + random_() % 40;
        std::vector<int32_t> tasks, edges;
        for (uint32_t i = 0; i < count; ++i) {
            const auto kind = static_cast<int32_t>(random_() % 2);
            tasks.insert(tasks.end(), {kind, kind});
            for (uint32_t edge = random_() % 3; i > 0 && edge > 0; --edge) {
                edges.insert(edges.end(), {static_cast<int32_t>(random_() % i), static_cast<int32_t>(i)});
            }
        }
        std::vector<uint64_t> log(count + 1);
        const ch_tensor tensors[] = {tensor(tasks.data(), CH_INT32, {count, 2}, CH_IN),
                                     tensor(edges.data(), CH_INT32, {uint32_t(edges.size() / 2), 2}, CH_IN),
                                     tensor(log.data(), CH_UINT64, {count + 1}, CH_INOUT)};
        const std::string text = run_raw(callables_.graph.raw, {tensors, nullptr, 3, 0});
        if (!pair_) return expect(CH_NOT_INITIALIZED, text);
        if (text != "ok") return text;
        if (log[0] != count) return "not every task ran once";
        for (size_t i = 0; i < edges.size(); i += 2) {
            if (log[1 + static_cast<size_t>(edges[i])] >= log[1 + static_cast<size_t>(edges[i + 1])]) {
                return "a task ran before its predecessor";
            }
        }
        return "ok";
    }

    std::mt19937& random_;
    const Callables& callables_;
    DeviceWorker worker_;
    const Pair* pair_;  // nullptr: no runtime
};

class EveryRuntime : public testing::TestWithParam<Pair> {
protected:
    void SetUp() override {
        ASSERT_EQ(worker.reset(), "ok");
        ASSERT_EQ(worker.initialize(GetParam()), "ok");
    }

    const tests::RandomSeed seed;
    std::mt19937 random{seed.value()};
    const Callables callables;
    AnyWorker worker{random, callables};
};

}  // namespace

TEST_P(EveryRuntime, RunsRandomProgramsAsIfInOrder) {
    for (int round = 0; round < 150; ++round) ASSERT_EQ(worker.run(), "ok") << "round " << round;
}

TEST_P(EveryRuntime, GoesOnAfterFailures) {
    for (int round = 0; round < 50; ++round) {
        ASSERT_EQ(worker.fail(), "ok") << "round " << round;
        if (random() % 3 == 0) {
            ASSERT_EQ(worker.reset(), "ok");
            ASSERT_EQ(worker.initialize(GetParam()), "ok");
        }
        ASSERT_EQ(worker.run(), "ok") << "round " << round;
    }
}

INSTANTIATE_TEST_SUITE_P(Pairs, EveryRuntime, testing::ValuesIn(pairs), [](const auto& parameter) {
    return std::string(parameter.param.platform) + "_" + parameter.param.runtime;
});

// Any order of init, run, failure and reset, over all runtimes and chips.
TEST(AllRuntimes, TakeTurnsOnOneWorker) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    const Callables callables;
    AnyWorker worker(random, callables);
    for (int round = 0; round < 60; ++round) {
        const Pair& pair = pairs[random() % std::size(pairs)];
        ASSERT_EQ(worker.reset(), "ok");
        ASSERT_EQ(worker.initialize(pair), "ok");
        ASSERT_EQ(worker.run(), "ok") << "round " << round << " on " << pair.runtime << ", " << pair.platform;
    }
}

// Any order of steps on several threads at once; none may notice the others.
TEST(AllRuntimes, TakeRandomStepsOnSeveralThreads) {
    const tests::RandomSeed seed;
    constexpr uint32_t thread_count = 4, steps = 120;
    const Callables callables;
    std::vector<std::thread> threads;
    std::vector<std::string> answers(thread_count, "ok");
    for (uint32_t i = 0; i < thread_count; ++i) {
        threads.emplace_back([&, i] {
            std::mt19937 random(seed.value() + i);
            AnyWorker worker(random, callables);
            std::string did;
            for (uint32_t step = 0; step < steps && answers[i] == "ok"; ++step) {
                switch (random() % 8) {
                    case 0:
                        did = "reset";
                        answers[i] = worker.reset();
                        break;
                    case 1:
                    case 2: {
                        const Pair& pair = pairs[random() % std::size(pairs)];
                        did = "init";
                        answers[i] = worker.initialize(pair);
                        break;
                    }
                    case 3:
                        did = "fail";
                        answers[i] = worker.fail();
                        break;
                    default:
                        did = "run";
                        answers[i] = worker.run();
                }
                if (answers[i] != "ok") {
                    const Pair* pair = worker.pair();
                    answers[i] = "step " + std::to_string(step) + ", " + did + " on " +
                                 (pair ? std::string(pair->runtime) + ", " + pair->platform : "no runtime") + ": " +
                                 answers[i];
                }
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& answer : answers) EXPECT_EQ(answer, "ok");
}

}  // namespace chiphost::worker
