// SPDX-License-Identifier: Apache-2.0
//
// The scheduler and the executor on the engines of the simulated chip, linked in one piece so that sanitizers see it
// all.
#include <gtest/gtest.h>
#include <string.h>

#include <map>
#include <memory>
#include <random>
#include <thread>

#include "chiphost/abi/device_program.h"
#include "chiphost/align.h"
#include "engine.h"
#include "graph/core_protocol.h"
#include "graph/graph_builder.h"
#include "isolate/domain/anchor.h"
#include "random_seed.h"
#include "test_files.h"

extern "C" const ch_aicpu_program* chiphost_aicpu_program();
extern "C" const ch_aicore_program* chiphost_aicore_program();

namespace chiphost::platform {

using graph::GraphBuilder;
using graph::Shape;

namespace {

// The memory that the kernels write: the calls of each task, and their order.
struct Log {
    std::vector<std::atomic<uint32_t>> calls;  // by task
    std::vector<uint32_t> finished_before;     // tasks that had finished when this one began, by task
    std::atomic<uint32_t> finished{0};
    std::vector<std::atomic<uint32_t>> blocks;  // by task: bits of the blocks seen, times cores

    explicit Log(uint32_t tasks) : calls(tasks), finished_before(tasks), blocks(tasks) {}
};

extern "C" void record(int64_t* args) {
    auto& log = *reinterpret_cast<Log*>(args[0]);
    const auto task = static_cast<uint32_t>(args[1]);
    log.calls[task].fetch_add(1, std::memory_order_relaxed);
    log.finished_before[task] = log.finished.load(std::memory_order_relaxed);
    log.finished.fetch_add(1, std::memory_order_relaxed);
}

extern "C" void record_block(int64_t* args) {
    auto& log = *reinterpret_cast<Log*>(args[0]);
    const auto task = static_cast<uint32_t>(args[1]);
    log.calls[task].fetch_add(1, std::memory_order_relaxed);
    log.blocks[task].fetch_or(1u << get_block_idx(args), std::memory_order_relaxed);
}

// A launch with everything it needs in this process's memory.
class TestChip {
public:
    TestChip(uint32_t block_dim, uint32_t aicpu_threads)
        : handshakes_(block_dim * 3),
          payloads_(block_dim * 6),
          registers_(chip.physical_cores * register_count),
          core_of_physical_() {
        EXPECT_TRUE(stack_.make(1 << 20));
        launch_.format = CH_LAUNCH_FORMAT;
        launch_.block_dim = block_dim;
        launch_.aicpu_thread_count = aicpu_threads;
        launch_.kernel_count = 2;
        kernels_[0] = reinterpret_cast<uint64_t>(&record);
        kernels_[1] = reinterpret_cast<uint64_t>(&record_block);
        launch_.kernels = reinterpret_cast<uint64_t>(kernels_);
        launch_.handshakes = reinterpret_cast<uint64_t>(handshakes_.data());
        launch_.payloads = reinterpret_cast<uint64_t>(payloads_.data());
        launch_.status = reinterpret_cast<uint64_t>(&status);
        status.error.task = status.error.core = -1;
        for (auto& lane : progress.lanes) lane.task = -1;
    }

    End run(GraphBuilder& graph, Engine& engine, uint64_t seed = 0) {
        image_.resize(graph.image_bytes() / 64 + 1);
        auto* base = reinterpret_cast<char*>(image_.data());
        graph.write_image(reinterpret_cast<uint64_t>(base), [&](uint64_t offset, const void* source, uint64_t bytes) {
            if (bytes) memcpy(base + offset, source, bytes);
        });
        return run_image(reinterpret_cast<uint64_t>(base), engine, seed);
    }

    graph::Image& image() { return *reinterpret_cast<graph::Image*>(image_.data()); }

    End run_image(uint64_t image, Engine& engine, uint64_t seed) {
        launch_.graph = image;
        launch_.choices = reinterpret_cast<uint64_t>(engine.choices());
        const uint32_t cores = launch_.block_dim * 3;
        const SimRegisters registers{registers_.data()};
        std::vector<AicpuPort> aicpu_ports(launch_.aicpu_thread_count);
        std::vector<void*> port_addresses;
        for (uint32_t i = 0; i < aicpu_ports.size(); ++i) {
            aicpu_ports[i] = {registers, engine.hooks(), core_of_physical_, i, seed, &strand_, &stack_, "/tmp"};
            aicpu_ports[i].choices = engine.choices();
            port_addresses.push_back(&aicpu_ports[i]);
        }
        std::vector<AicorePort> core_ports(cores);
        const uint64_t core_bytes = align_up(chiphost_aicore_program()->context_bytes());
        std::unique_ptr<char, decltype(&free)> contexts(static_cast<char*>(aligned_alloc(64, core_bytes * cores)),
                                                        free);
        for (uint32_t core = 0; core < cores; ++core) {
            const uint32_t physical = core == wrong_core ? chip.physical_cores + 5 : sim_physical_core(core);
            if (physical < chip.physical_cores) core_of_physical_[physical] = static_cast<uint8_t>(core);
            core_ports[core] = {registers, engine.hooks(), core,    physical, seed ? seed * 1000 + core + 1 : 0,
                                0,         &progress,      nullptr, nullptr,  {}};
            core_ports[core].choices = engine.choices();
            chiphost_aicore_program()->init(contexts.get() + core * core_bytes, &launch_, core,
                                            core < launch_.block_dim ? CH_AIC : CH_AIV, &core_ports[core]);
        }
        const uint64_t aicpu_bytes = align_up(chiphost_aicpu_program()->context_bytes());
        std::unique_ptr<void, decltype(&free)> aicpu(aligned_alloc(64, aicpu_bytes), free);
        chiphost_aicpu_program()->create(aicpu.get());
        chiphost_aicpu_program()->begin(aicpu.get(), &launch_, port_addresses.data());
        const Processors processors{chiphost_aicpu_program(),  aicpu.get(),    launch_.aicpu_thread_count,
                                    chiphost_aicore_program(), contexts.get(), core_bytes,
                                    core_ports.data(),         cores};
        const End end = engine.run(processors);
        if (end != End::finished) chiphost_aicpu_program()->explain_stall(aicpu.get(), &stall);
        chiphost_aicpu_program()->end(aicpu.get());
        chiphost_aicpu_program()->destroy(aicpu.get());
        return end;
    }

    ch_launch_status status{};
    ch_error stall{};
    ch_run_progress progress{};
    uint32_t wrong_core = UINT32_MAX;  // this core says it is one that does not exist

private:
    struct alignas(64) Line {
        char bytes[64];
    };
    FiberStack stack_;
    Fiber strand_;
    ch_launch launch_{};
    uint64_t kernels_[2];
    std::vector<core_protocol::Handshake> handshakes_;
    std::vector<core_protocol::Payload> payloads_;
    std::vector<SimRegisters::Cell> registers_;
    uint8_t core_of_physical_[Processors::max_cores];
    std::vector<Line> image_;
};

std::vector<ch_mailbox*> make_helpers(size_t count) {
    std::vector<ch_mailbox*> helpers;
    for (size_t i = 0; i < count; ++i) {
        void* state = nullptr;
        helpers.push_back(nullptr);
        EXPECT_EQ(isolate::anchor_of_this_program().create(nullptr, &state, &helpers.back()), 0);
    }
    return helpers;
}

// A random graph: tasks with edges to later ones.
struct RandomGraph {
    GraphBuilder builder;
    std::vector<std::pair<uint32_t, uint32_t>> edges;
    Log log;

    RandomGraph(std::mt19937& random, uint32_t tasks) : log(tasks) {
        for (uint32_t i = 0; i < tasks; ++i) {
            const uint64_t args[] = {reinterpret_cast<uint64_t>(&log), i};
            builder.add_task(random() % 2 ? Shape::aic : Shape::aiv, 0, args, 2);
        }
        for (uint32_t i = 0; tasks > 1 && i < random() % (3 * tasks); ++i) {
            const uint32_t from = random() % (tasks - 1);
            const uint32_t to = from + 1 + random() % (tasks - from - 1);
            builder.add_edge(from, to);
            edges.emplace_back(from, to);
        }
    }

    // Checks that every task ran once, after all its predecessors.
    void verify() {
        for (const auto& calls : log.calls) ASSERT_EQ(calls.load(), 1u);
        for (const auto& [from, to] : edges) ASSERT_LT(log.finished_before[from], log.finished_before[to]);
    }
};

struct Configuration {
    uint32_t block_dim, aicpu_threads;
};
constexpr Configuration configurations[] = {{1, 1}, {1, 4}, {3, 3}, {24, 1}, {24, 4}};

}  // namespace

TEST(SimulatedChip, RunsRandomGraphsInOrder) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    for (int round = 0; round < 150; ++round) {
        const Configuration configuration = configurations[random() % std::size(configurations)];
        RandomGraph graph(random, 1 + random() % 120);
        const uint64_t engine_seed = random() % 2 ? 0 : random();
        TestChip launch(configuration.block_dim, configuration.aicpu_threads);
        RandomOracle oracle(engine_seed);
        SequentialEngine engine(engine_seed ? &oracle : nullptr, &launch.progress, nullptr);
        ASSERT_EQ(launch.run(graph.builder, engine, engine_seed), End::finished) << launch.stall.message;
        ASSERT_EQ(launch.status.error.code, CH_OK) << launch.status.error.message;
        ASSERT_EQ(launch.status.tasks_done, graph.log.calls.size());
        ASSERT_NO_FATAL_FAILURE(graph.verify()) << "engine seed " << engine_seed;
    }
}

TEST(SimulatedChip, RunsRandomGraphsOnSeveralHostThreads) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    const std::vector<ch_mailbox*> helpers = make_helpers(3);
    for (int round = 0; round < 60; ++round) {
        const Configuration configuration = configurations[random() % std::size(configurations)];
        RandomGraph graph(random, 1 + random() % 120);
        const std::vector<ch_mailbox*> some(helpers.begin(), helpers.begin() + 1 + random() % 3);
        const uint64_t engine_seed = random() % 2;
        TestChip launch(configuration.block_dim, configuration.aicpu_threads);
        ParallelEngine engine(some, &launch.progress);
        ASSERT_EQ(launch.run(graph.builder, engine, engine_seed), End::finished) << launch.stall.message;
        ASSERT_EQ(launch.status.error.code, CH_OK) << launch.status.error.message;
        ASSERT_NO_FATAL_FAILURE(graph.verify());
    }
}

TEST(SimulatedChip, RunsAnEmptyGraph) {
    GraphBuilder graph;
    TestChip launch(24, 4);
    SequentialEngine engine(nullptr, &launch.progress, nullptr);
    EXPECT_EQ(launch.run(graph, engine), End::finished);
}

TEST(SimulatedChip, RepeatsATraceExactly) {
    std::mt19937 random(1);
    RandomGraph graph(random, 80);
    const auto trace_of = [&](uint64_t seed) {
        std::vector<ch_trace_event> trace;
        TestChip launch(7, 3);
        RandomOracle oracle(seed);
        SequentialEngine engine(seed ? &oracle : nullptr, &launch.progress, &trace);
        EXPECT_EQ(launch.run(graph.builder, engine, seed), End::finished);
        return std::string(reinterpret_cast<const char*>(trace.data()), trace.size() * sizeof(ch_trace_event));
    };
    const std::string first = trace_of(5);
    EXPECT_FALSE(first.empty());
    EXPECT_EQ(trace_of(5), first);
    EXPECT_NE(trace_of(6), first);
    EXPECT_EQ(trace_of(0), trace_of(0));
}

// At both levels every order is one that the graph allows.
TEST(SimulatedChip, RunsRandomGraphsInTheOrderOfAnOracle) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    for (int round = 0; round < 150; ++round) {
        const Configuration configuration = configurations[random() % std::size(configurations)];
        RandomGraph graph(random, 1 + random() % 120);
        TestChip launch(configuration.block_dim, configuration.aicpu_threads);
        RandomOracle oracle(random(), round % 2 ? Level::tasks : Level::steps);
        SequentialEngine engine(&oracle, &launch.progress, nullptr);
        ASSERT_EQ(launch.run(graph.builder, engine), End::finished) << launch.stall.message;
        ASSERT_EQ(launch.status.error.code, CH_OK) << launch.status.error.message;
        ASSERT_EQ(engine.order().kernels(), graph.log.calls.size());
        ASSERT_NO_FATAL_FAILURE(graph.verify());
    }
}

namespace {

// Chooses the default, and counts what it is asked.
class Counting final : public Oracle {
public:
    explicit Counting(Level level) : Oracle(level, true) {}
    uint32_t choose(const Decision& decision) override {
        EXPECT_GE(decision.count, 2u);
        ++asked[decision.what];
        return 0;
    }

    std::map<graph::Choice, int> asked;
};

}  // namespace

TEST(SimulatedChip, AsksForEveryChoice) {
    std::mt19937 random(1);
    RandomGraph graph(random, 80);
    for (const Level level : {Level::steps, Level::tasks}) {
        TestChip launch(3, 3);
        Counting oracle(level);
        SequentialEngine engine(&oracle, &launch.progress, nullptr);
        ASSERT_EQ(launch.run(graph.builder, engine), End::finished) << launch.stall.message;
        EXPECT_GT(oracle.asked[graph::Choice::task], 0);
        EXPECT_GT(oracle.asked[graph::Choice::core], 0);
        const bool steps = level == Level::steps;
        EXPECT_EQ(oracle.asked[graph::Choice::processor] > 0, steps);
        EXPECT_EQ(oracle.asked[graph::Choice::acknowledgement] > 0, steps);
    }
}

// Whoever always takes the first option gets the order that there is without an oracle.
TEST(SimulatedChip, HasTheDefaultOrderAsFirstOptions) {
    std::mt19937 random(2);
    RandomGraph graph(random, 80);
    const auto trace_of = [&](Oracle* oracle) {
        std::vector<ch_trace_event> trace;
        TestChip launch(3, 2);
        SequentialEngine engine(oracle, &launch.progress, &trace);
        EXPECT_EQ(launch.run(graph.builder, engine), End::finished);
        std::vector<std::pair<uint32_t, uint32_t>> kernels;  // core and task
        for (const ch_trace_event& event : trace) {
            if (event.kind == CH_TRACE_KERNEL) kernels.emplace_back(event.core, event.task);
        }
        return kernels;
    };
    Counting oracle(Level::steps);
    EXPECT_EQ(trace_of(&oracle), trace_of(nullptr));
}

// SPMD blocks below, at and above the number of cores, and tasks for several cores of a cluster.
TEST(SimulatedChip, RunsBlocksAndClusters) {
    for (const Configuration configuration : configurations) {
        for (const uint64_t seed : {0, 1, 2, 3}) {
            Log log(8);
            GraphBuilder graph;
            for (uint32_t i = 0; i < 8; ++i) {
                const uint64_t args[] = {reinterpret_cast<uint64_t>(&log), i};
                graph.add_task(i < 4 ? Shape::aiv : Shape::aic, 1, args, 2);
            }
            TestChip launch(configuration.block_dim, configuration.aicpu_threads);
            RandomOracle oracle(seed);
            SequentialEngine first(seed ? &oracle : nullptr, &launch.progress, nullptr);
            ASSERT_EQ(launch.run(graph, first, seed), End::finished);
            // The builder makes tasks of one core and one block; make more of them in the image.
            Log blocks(8);
            auto* tasks = reinterpret_cast<graph::Task*>(launch.image().tasks);
            auto* words = reinterpret_cast<uint64_t*>(launch.image().args);
            uint32_t mixed[8] = {};
            const uint32_t counts[8] = {1, 2, 3, 31, 1, 5, 17, 30};
            graph::QueueCell mix_cells[8];
            uint32_t ready[3] = {};
            for (uint32_t i = 0; i < 8; ++i) {
                words[tasks[i].first_arg] = reinterpret_cast<uint64_t>(&blocks);
                tasks[i].block_num = counts[i];
                tasks[i].next_block = 0;
                tasks[i].func_id[0] = tasks[i].func_id[1] = tasks[i].func_id[2] = 1;
                const bool mix = i >= 4;
                tasks[i].shape = mix ? Shape::mix : Shape::aiv;
                tasks[i].cores = mix ? uint8_t(i == 4 ? 7 : i == 5 ? 3 : i == 6 ? 6 : 7) : uint8_t{graph::aiv0_bit};
                mixed[i] = static_cast<uint32_t>(__builtin_popcount(tasks[i].cores));
                tasks[i].unfinished = counts[i] * mixed[i];
                auto* cells = mix ? mix_cells : reinterpret_cast<graph::QueueCell*>(launch.image().queues[1].cells);
                cells[ready[mix ? 2 : 1]++] = {1, i};
            }
            for (uint32_t i = ready[2]; i < 8; ++i) mix_cells[i] = {0, graph::none};
            launch.image().queues[0] = graph::Queue{};
            launch.image().queues[1].head = 0;
            launch.image().queues[1].tail = 4;
            launch.image().queues[2] = graph::Queue{reinterpret_cast<uint64_t>(mix_cells), 8, 0, 0, 4};
            // Half of the seeds order tasks only.
            RandomOracle other_oracle(seed, seed % 2 ? Level::tasks : Level::steps);
            SequentialEngine second(seed ? &other_oracle : nullptr, &launch.progress, nullptr);
            // A launch begins with clean handshakes.
            TestChip fresh(configuration.block_dim, configuration.aicpu_threads);
            ASSERT_EQ(fresh.run_image(reinterpret_cast<uint64_t>(&launch.image()), second, seed), End::finished)
                << fresh.stall.message;
            for (uint32_t i = 0; i < 8; ++i) {
                ASSERT_EQ(blocks.calls[i].load(), counts[i] * mixed[i]) << i;
                ASSERT_EQ(blocks.blocks[i].load(), (uint64_t{1} << counts[i]) - 1) << i;
            }
        }
    }
}

// A graph that cannot end: the engine notices by structure, at once, and says which task waits for which.
TEST(SimulatedChip, ExplainsAStall) {
    Log log(2);
    GraphBuilder graph;
    for (uint64_t i = 0; i < 2; ++i) {
        const uint64_t args[] = {reinterpret_cast<uint64_t>(&log), i};
        graph.add_task(Shape::aiv, 0, args, 2);
    }
    graph.add_edge(0, 1);
    graph.add_edge(1, 0);
    const std::vector<ch_mailbox*> helpers = make_helpers(2);
    for (const bool parallel : {false, true}) {
        TestChip launch(3, 3);
        SequentialEngine sequential(nullptr, &launch.progress, nullptr);
        ParallelEngine several(helpers, &launch.progress);
        Engine& engine = parallel ? static_cast<Engine&>(several) : sequential;
        EXPECT_EQ(launch.run(graph, engine), End::stalled);
        EXPECT_NE(
            strstr(launch.stall.message,
                   "0 of 2 tasks completed; submit #1 (kernel of func_id 0) waits for submit #0 (kernel of func_id 0); "
                   "submit #0 (kernel of func_id 0) waits for submit #1 (kernel of func_id 0)"),
            nullptr)
            << launch.stall.message;
    }
}

TEST(SimulatedChip, RefusesACoreThatCannotExist) {
    GraphBuilder graph;
    Log log(1);
    const uint64_t args[] = {reinterpret_cast<uint64_t>(&log), 0};
    graph.add_task(Shape::aiv, 0, args, 2);
    TestChip launch(2, 2);
    launch.wrong_core = 4;
    SequentialEngine engine(nullptr, &launch.progress, nullptr);
    EXPECT_EQ(launch.run(graph, engine), End::finished);
    EXPECT_EQ(launch.status.error.code, CH_CORE_HANDSHAKE_FAILED);
    EXPECT_EQ(launch.status.error.core, 4);
}

// Sets of cores and records of launches have an end.
TEST(SimulatedChip, ChipsMayNotHaveMoreThanThereIsRoomFor) {
    EXPECT_EQ(chip.excess().what, nullptr);
    const auto expect = [](uint32_t Chip::* field, uint32_t most, const char* what) {
        Chip other = chip;
        other.*field = most;
        EXPECT_EQ(other.excess().what, nullptr);
        other.*field = most + 1;
        EXPECT_STREQ(other.excess().what, what);
        EXPECT_EQ(other.excess().most, most);
        EXPECT_EQ(other.excess().found, most + 1);
    };
    expect(&Chip::clusters, 40, "clusters");
    expect(&Chip::physical_cores, 120, "physical cores");
    expect(&Chip::aicpu_threads, 8, "AICPU threads");
}

TEST(SimulatedChip, StopsOnRequest) {
    std::mt19937 random(1);
    RandomGraph graph(random, 5000);
    const std::vector<ch_mailbox*> helpers = make_helpers(1);
    for (const bool parallel : {false, true}) {
        TestChip launch(1, 1);
        launch.progress.cancel = 1;
        SequentialEngine sequential(nullptr, &launch.progress, nullptr);
        ParallelEngine several(helpers, &launch.progress);
        Engine& engine = parallel ? static_cast<Engine&>(several) : sequential;
        EXPECT_EQ(launch.run(graph.builder, engine), End::cancelled);
    }
}

}  // namespace chiphost::platform
